package engineio

// payloadEncoder puts packets into one payload of the client's protocol.
type payloadEncoder struct {
	protocol   Protocol
	base64Only bool
	b          []byte
	packets    []packet // of protocol 3, whose format depends on all of them
}

func (e *payloadEncoder) add(p packet) {
	if e.protocol == V3 {
		e.packets = append(e.packets, p)
		return
	}
	if len(e.b) > 0 {
		e.b = append(e.b, recordSeparator)
	}
	e.b = appendPolled(e.b, p)
}

func (e *payloadEncoder) addQueue(q *queue) {
	for _, p := range q.items {
		if e.protocol == V3 {
			p.packets(func(p packet) bool { e.add(p); return true })
			continue
		}
		if len(e.b) > 0 {
			e.b = append(e.b, recordSeparator)
		}
		e.b = append(e.b, p.wire(formatPayload)...)
	}
}

func (e *payloadEncoder) finish() (payload []byte, contentType string) {
	const text = "text/plain; charset=UTF-8"
	if e.protocol != V3 {
		return e.b, text
	}
	binary := false
	for _, p := range e.packets {
		binary = binary || p.binary
	}
	binary = binary && !e.base64Only
	for _, p := range e.packets {
		if binary {
			e.b = appendBinaryV3(e.b, p)
		} else {
			e.b = appendTextV3(e.b, p)
		}
	}
	if binary {
		return e.b, contentTypeBinary
	}
	return e.b, text
}
