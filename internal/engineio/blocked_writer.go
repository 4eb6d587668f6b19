package engineio

import (
	"errors"
	"net"
	"time"
)

// startBlockedWriter leaves what a full socket did not take, and all that follows until it is
// written, to a goroutine that waits for the socket. rest is what is left of q.
func (s *Session) startBlockedWriter(c *conn, rest net.Buffers, q *queue) {
	s.mu.Lock()
	s.output.blocked = true
	s.mu.Unlock()
	s.server.goWith(c, func() { s.writeBlocked(c, rest, q) })
}

func (s *Session) writeBlocked(c *conn, rest net.Buffers, q *queue) {
	for {
		err := s.writeAll(c, rest)
		_, size := s.server.releaseQueue(q)
		if err != nil {
			s.writeFailed(c, err)
			return
		}
		more, fx := s.wrote(size)
		if !more {
			c.perform(fx)
			return
		}
		if _, q, fx = s.takeQueue(); q == nil {
			c.perform(fx)
			return
		}
		rest = restOf(nil, q.items, s.protocol.frameFormat(c.input.base64Only))
		s.writer().sent(q.messages(), totalSize(rest))
	}
}

// blockedWriteSize is how many bytes a blocked writer hands to the system at a time. The socket has
// one heartbeat for each.
const blockedWriteSize = 256 << 10

// writeAll writes all buffers and waits for the socket. A client that takes nothing for the time of
// a heartbeat, ping interval and time-out, makes it fail with a timeout.
func (s *Session) writeAll(c *conn, rest net.Buffers) error {
	patience := s.server.options.PingInterval + s.server.options.PingTimeout
	for len(rest) > 0 {
		part := cutBuffers(&rest, blockedWriteSize)
		s.setWriteDeadline(c, time.Now().Add(patience))
		if err := writeBuffers(c.Conn, part); err != nil {
			return err
		}
	}
	s.setWriteDeadline(c, time.Time{}) // or it would fail a write that comes after a long silence
	return nil
}

// setWriteDeadline sets the deadline unless the session is over: then that of the closing handshake
// stays in force.
func (s *Session) setWriteDeadline(c *conn, t time.Time) {
	if s.life.over() {
		return
	}
	_ = c.Conn.SetWriteDeadline(t)
	if s.life.over() { // since the check: the deadline of the closing handshake may be overwritten
		_ = c.Conn.SetWriteDeadline(time.Now().Add(s.server.options.CloseTimeout))
	}
}

// writeBuffers writes by one writev where the connection is TCP. Otherwise it joins the buffers:
// through TLS each would be a record.
func writeBuffers(c net.Conn, part net.Buffers) error {
	if _, ok := c.(*net.TCPConn); ok {
		_, err := part.WriteTo(c)
		return err
	}
	joined := make([]byte, 0, totalSize(part))
	for _, b := range part {
		joined = append(joined, b...)
	}
	_, err := c.Write(joined)
	return err
}

// cutBuffers cuts about size bytes off the front of rest, and splits a buffer where needed.
func cutBuffers(rest *net.Buffers, size int) net.Buffers {
	var part net.Buffers
	for len(*rest) > 0 && size > 0 {
		b := (*rest)[0]
		if len(b) > size {
			(*rest)[0] = b[size:]
			return append(part, b[:size])
		}
		part = append(part, b)
		size -= len(b)
		*rest = (*rest)[1:]
	}
	return part
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}
