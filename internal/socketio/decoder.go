package socketio

import (
	"bytes"

	"chatapp/internal/engineio"
)

// incoming holds one packet from its decoding until its handler returns. A pool reuses it.
type incoming struct {
	packet packet
	raw    rawMessage
	event  Event
}

// decoder assembles packets that arrive in several messages: the text first, then its attachments. The
// zero value is ready. The goroutine that reads owns it.
type decoder struct {
	waiting *partial
}

// partial is a binary packet that lacks attachments.
type partial struct {
	packet       packet // owns its slices
	placeholders []placeholder
	attachments  [][]byte
	bytes        int // of the text and the attachments
}

// add decodes one message of a session into in, and reports whether the packet is complete with its
// attachments.
func (d *decoder) add(m engineio.Message, in *incoming, lim *limits) (complete bool, err error) {
	if m.Binary {
		return d.addAttachment(m.Data, in, lim)
	}
	if d.waiting != nil {
		return false, errTextInBinary
	}
	p := &in.packet
	if err := p.parse(m.Data, lim); err != nil {
		return false, err
	}
	if p.attachments == 0 {
		in.event.Args = Args{text: p.payload, spans: p.args}
		return true, nil
	}
	if len(m.Data) > lim.packetBytes {
		return false, errPacketSize
	}
	placeholders, err := findPlaceholders(p.payload, p.attachments, nil)
	if err != nil {
		return false, err
	}
	kept := *p
	kept.namespace = bytes.Clone(p.namespace)
	kept.payload = bytes.Clone(p.payload)
	kept.args = append([]span(nil), p.args...)
	d.waiting = &partial{packet: kept, placeholders: placeholders, bytes: len(m.Data)}
	return false, nil
}

func (d *decoder) addAttachment(data []byte, in *incoming, lim *limits) (complete bool, err error) {
	w := d.waiting
	if w == nil {
		return false, errUnannouncedBinary
	}
	if w.bytes += len(data); w.bytes > lim.packetBytes {
		return false, errPacketSize
	}
	last := len(w.attachments) == w.packet.attachments-1
	if !last {
		data = bytes.Clone(data)
	}
	w.attachments = append(w.attachments, data)
	if !last {
		return false, nil
	}
	d.waiting = nil
	in.packet = w.packet
	in.event.Args = Args{text: w.packet.payload, spans: w.packet.args, placeholders: w.placeholders,
		attachments: w.attachments}
	return true, nil
}
