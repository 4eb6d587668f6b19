package engineio

import "time"

// takeControl handles a ping or pong at the front of what was read ahead, between two messages. It
// reports whether there was one. gorilla would handle it as well, but then wait for a message, with
// the reader and the buffer that an idle session must not hold. takeControl leaves to gorilla every
// frame that is unusual in any way. An error ends the session.
func (c *conn) takeControl() (taken bool, err error) {
	front := c.input.ahead.rest()
	if buffered := c.input.buffer.Buffered(); buffered > 0 {
		front, _ = c.input.buffer.Peek(buffered) // no error: that much is buffered
	}
	if len(front) == 0 || front[0] != framePing && front[0] != framePong {
		return false, nil
	}
	handle := c.ws.PongHandler()
	if front[0] == framePing {
		handle = c.ws.PingHandler()
	}
	payload, size := cutControl(front)
	if size == 0 {
		if payload, size = c.awaitControl(); size == 0 {
			return false, nil
		}
	}
	if c.input.buffer.Buffered() > 0 {
		_, _ = c.input.buffer.Discard(size)
	} else {
		c.input.skipAhead(size)
	}
	return true, handle(payload)
}

// answerPing answers a client's WebSocket ping.
func (c *conn) answerPing(data string) error {
	if err := c.countControl(); err != nil {
		return err
	}
	_, err := c.Write(appendFrame(make([]byte, 0, maxFrameHeader+len(data)), framePong, data, nil))
	return err
}

// takePong takes a pong for a sign of life where the protocol has no heartbeat of its own.
func (c *conn) takePong(string) error {
	if c.session != nil && c.session.protocol == Raw {
		c.session.alive()
	}
	return c.countControl()
}

// countControl counts a ping or pong, wherever it comes: gorilla handles those between fragments of a message.
func (c *conn) countControl() error {
	if c.session == nil {
		return nil
	}
	c.session.countFrame()
	if c.isTooLate(0) {
		return errTooMuchData
	}
	return nil
}

const (
	frameMasked      = 0x80 // in a frame's second byte, beside the length
	maskSize         = 4
	controlHeader    = 2 + maskSize
	maxControlLength = 125
)

// awaitControl reads the rest of a ping or pong that has come in part. It returns what cutControl
// does.
func (c *conn) awaitControl() (payload string, size int) {
	c.borrowBuffer()
	if c.session != nil {
		c.session.setReadDeadline(c, time.Now().Add(c.session.server.options.RequestTimeout))
		defer func() {
			if size > 0 { // else it stays in force: what is there is a mistake, or has not come in time
				c.session.setReadDeadline(c, time.Time{})
			}
		}()
	}
	// An unmasked frame, which is a mistake, may be as short as this.
	b, err := c.input.buffer.Peek(2)
	if err != nil || b[1] < frameMasked {
		return "", 0
	}
	b, err = c.input.buffer.Peek(controlHeader)
	if err != nil || b[1] < frameMasked || b[1] > frameMasked+maxControlLength {
		return "", 0
	}
	if b, err = c.input.buffer.Peek(controlHeader + int(b[1]-frameMasked)); err != nil {
		return "", 0
	}
	return cutControl(b)
}

// cutControl returns the payload and the whole size of the ping or pong frame that b starts with.
// The size is 0 where b starts with another frame. RFC 6455 sections 5.2 and 5.5: a client's frame
// is masked, and a control frame short and not fragmented.
func cutControl(b []byte) (payload string, size int) {
	if len(b) < controlHeader || b[0] != framePing && b[0] != framePong {
		return "", 0
	}
	if b[1] < frameMasked || b[1] > frameMasked+maxControlLength {
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
