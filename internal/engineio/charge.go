package engineio

import (
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/tokenbucket"
)

// Reasons for closing a session whose client uses more than its allowance.
var (
	errTooManyRefusals = protocolError(closePolicyViolation, "too many requests refused")
	errTooMuchData     = protocolError(closePolicyViolation, "too much data from this address")
)

// usage is what a session's client has used. Session.mu guards the buckets.
type usage struct {
	account          *allowance.Account // of the client's address; immutable once the session is registered
	frames, refusals tokenbucket.Bucket
}

// charge counts what the client has sent. An error ends the session.
func (s *Session) charge(bytes int) error {
	if _, ok := s.usage.account.Take(allowance.Kilobytes, float64(bytes)/1024); !ok {
		return errTooMuchData
	}
	return nil
}

// charge counts a part of a message as soon as it has come. A WebSocket that is probing belongs to a session that is
// charged once it has moved.
func (c *conn) charge(bytes int) error {
	if c.session == nil {
		return nil
	}
	if c.isTooLate(bytes) {
		return errTooMuchData
	}
	return c.session.charge(bytes)
}

// lateFrame is what a frame counts as, besides its bytes, that comes after the session's end.
const lateFrame = 64

// isTooLate counts a frame, or a part of one, and reports whether more has come after the session's end than is read.
func (c *conn) isTooLate(bytes int) bool {
	if !c.session.life.over() {
		return false
	}
	c.input.late += int32(bytes) + lateFrame
	return c.input.late > maxLate
}

// setReadDeadline bounds the time in which a message arrives that has begun, unless the session is over: then that of
// the closing handshake stays in force.
func (s *Session) setReadDeadline(c *conn, t time.Time) {
	if s.life.over() {
		return
	}
	_ = c.Conn.SetReadDeadline(t)
	if s.life.over() { // since the check
		_ = c.Conn.SetReadDeadline(time.Now().Add(s.server.options.CloseTimeout))
	}
}

// countFrame counts a packet or WebSocket frame of the client. One above the limit of frames counts as refused, also
// where it is handled.
func (s *Session) countFrame() {
	limit := s.server.options.Frames
	if limit.Rate <= 0 {
		return
	}
	s.mu.Lock()
	_, ok := s.usage.frames.Take(limit, s.server.elapsed())
	s.mu.Unlock()
	if !ok {
		s.Refused()
	}
}

// Refused counts a request of the client that the server or the handler has refused or has no use for. Refusals cost
// little each, but are not free: above the limit of the session or of the address the session is closed, with WebSocket
// close code 1008.
func (s *Session) Refused() {
	s.server.refusals.Add(1)
	s.mu.Lock()
	_, session := s.usage.refusals.Take(s.server.options.Refusals, s.server.elapsed())
	s.mu.Unlock()
	if _, address := s.usage.account.Take(allowance.Refusals, 1); session && address {
		return
	}
	s.Close(errTooManyRefusals)
}

// TakeAllowance takes n of a kind from the account of the client's address, or nothing and returns how long to wait.
func (s *Session) TakeAllowance(k allowance.Kind, n float64) (wait time.Duration, ok bool) {
	return s.usage.account.Take(k, n)
}
