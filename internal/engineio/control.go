package engineio

// takeControl handles a ping or pong that stands whole at the front of what has been read ahead, between two messages; false if there is
// none. gorilla would handle it as well, but then wait for a message, with the reader and the buffer that an idle session must not
// hold. What is in any way unusual is left to it.
func (c *conn) takeControl() bool {
	if c.form == formV4Deflate || c.form == formBareDeflate {
		return false // a compressed message may have ended before its frames have
	}
	b := c.burst.rest()
	buffered := c.buffer.Buffered()
	if buffered > 0 {
		b, _ = c.buffer.Peek(buffered) // no error, as that much is there
	}
	payload, size := cutControl(b)
	if size == 0 {
		return false
	}
	handle := c.ws.PongHandler()
	if b[0] == framePing {
		handle = c.ws.PingHandler()
	}
	if buffered > 0 {
		_, _ = c.buffer.Discard(size)
	} else {
		c.skipAhead(size)
	}
	_ = handle(payload) // ours, which queue and never fail
	return true
}

// cutControl is the payload and the whole size of the ping or pong frame that b starts with; 0 where it starts with something else.
// RFC 6455 sections 5.2 and 5.5: a client's frame is masked, and a control frame short and not fragmented.
func cutControl(b []byte) (payload string, size int) {
	const header, masked, maxPayload = 2 + 4, 0x80, 125
	if len(b) < header || b[0] != framePing && b[0] != framePong || b[1] < masked || b[1] > masked+maxPayload {
		return "", 0
	}
	size = header + int(b[1]-masked)
	if len(b) < size {
		return "", 0
	}
	var unmasked [maxPayload]byte
	for i, x := range b[header:size] {
		unmasked[i] = x ^ b[2+i%4]
	}
	return string(unmasked[:size-header]), size
}
