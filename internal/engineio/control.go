package engineio

// takeControl handles a ping or pong that stands at the front of what has been read ahead, between two messages; false if there is none.
// gorilla would handle it as well, but then wait for a message, with the reader and the buffer that an idle session must not hold. What
// is in any way unusual is left to it.
func (c *conn) takeControl() bool {
	if c.lost {
		return false
	}
	front := c.burst.rest()
	if buffered := c.buffer.Buffered(); buffered > 0 {
		front, _ = c.buffer.Peek(buffered) // no error, as that much is there
	}
	if len(front) == 0 || front[0] != framePing && front[0] != framePong {
		return false
	}
	handle := c.ws.PongHandler()
	if front[0] == framePing {
		handle = c.ws.PingHandler()
	}
	payload, size := cutControl(front)
	if size == 0 {
		if payload, size = c.awaitControl(); size == 0 {
			return false
		}
	}
	if c.buffer.Buffered() > 0 {
		_, _ = c.buffer.Discard(size)
	} else {
		c.skipAhead(size)
	}
	_ = handle(payload) // ours, which queue and never fail
	return true
}

const (
	frameControl     = 0x08 // in a frame's first byte
	frameMasked      = 0x80 // in its second, beside the length
	maskSize         = 4
	controlHeader    = 2 + maskSize
	maxControlLength = 125
)

// awaitControl reads the rest of a ping or pong that has come in part, and is cutControl then.
func (c *conn) awaitControl() (payload string, size int) {
	c.borrow()
	b, err := c.buffer.Peek(controlHeader)
	if err != nil || b[1] < frameMasked || b[1] > frameMasked+maxControlLength {
		return "", 0
	}
	if b, err = c.buffer.Peek(controlHeader + int(b[1]-frameMasked)); err != nil {
		return "", 0
	}
	return cutControl(b)
}

// cutControl is the payload and the whole size of the ping or pong frame that b starts with; 0 where it starts with something else.
// RFC 6455 sections 5.2 and 5.5: a client's frame is masked, and a control frame short and not fragmented.
func cutControl(b []byte) (payload string, size int) {
	if len(b) < controlHeader || b[0] != framePing && b[0] != framePong || b[1] < frameMasked || b[1] > frameMasked+maxControlLength {
		return "", 0
	}
	size = controlHeader + int(b[1]-frameMasked)
	if len(b) < size {
		return "", 0
	}
	var unmasked [maxControlLength]byte
	for i, x := range b[controlHeader:size] {
		unmasked[i] = x ^ b[2+i%maskSize]
	}
	return string(unmasked[:size-controlHeader]), size
}

// extent is how far the message reaches that is about to be read, as its first frame tells.
type extent struct {
	loose bool   // it is compressed, or that is not known
	whole bool   // it is one frame
	end   uint32 // where that ends, as conn.position
}

// peekFrame looks at the frame that comes next, where messages may be compressed: those may end, by a final block of RFC 1951, before
// their frames do, RFC 7692 section 7.2.3.5, and gorilla leaves what is left to the next read.
func (c *conn) peekFrame() extent {
	if c.lost || c.form != formV4Deflate && c.form != formBareDeflate {
		return extent{}
	}
	head, err := c.buffer.Peek(2)
	if err != nil {
		return extent{} // and the read fails as well
	}
	kind := head[0] &^ frameCompressed
	e := extent{loose: head[0]&(frameCompressed|frameControl) != 0, whole: kind == frameText || kind == frameBinary}
	length, header := uint32(head[1]&^frameMasked), 2
	switch length {
	case 126:
		header += 2
	case 127:
		header += 8
	}
	if header > 2 {
		if head, err = c.buffer.Peek(header); err != nil {
			return extent{}
		}
		length = 0
		for _, b := range head[2:] {
			length = length<<8 | uint32(b)
		}
	}
	e.end = c.position() + uint32(header) + maskSize + length
	return e
}

// position is how much of what the client has sent is used up, modulo 2^32.
func (c *conn) position() uint32 { return c.taken - uint32(c.buffer.Buffered()) }

// isOver tells whether the message that was read to its end has for certain no frame, nor part of one, left. One that is not compressed
// ends with its frames.
func (e extent) isOver(c *conn) bool {
	return !e.loose || e.whole && c.position() == e.end
}
