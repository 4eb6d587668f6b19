package engineio

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
)

// Handler receives what happens to sessions. Calls for one session never overlap; those for
// different ones do. A handler that blocks delays its own session's reading and nothing else.
type Handler interface {
	// Opened is called first for a session, before anything is received. A client receives what
	// Opened sends directly behind the open packet.
	Opened(*Session)
	// Received runs on the goroutine that read the message. Text is valid UTF-8. The message's data
	// is valid only until it returns.
	Received(*Session, Message)
	// Closed is called last, exactly once, with the reason: an error of this
	// package, a *ProtocolError, or what Close was given.
	Closed(*Session, error)
}

// handlerCalls serializes the calls of the handler for one session.
type handlerCalls struct {
	// mu is held during each call. newSession takes it before anybody else knows the session;
	// notifyOpened releases it.
	mu     sync.Mutex
	opened bool // Opened was called, so that Closed is due; guarded by mu
}

// notifyOpened calls Opened, unless the session is over already.
func (s *Session) notifyOpened() {
	defer s.calls.mu.Unlock()
	if s.life.over() {
		return
	}
	s.calls.opened = true
	s.server.handler.Opened(s)
}

// deliver calls Received, unless the session is over.
func (s *Session) deliver(m Message) {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	if s.life.over() {
		return
	}
	s.writer().received(len(m.Data))
	s.server.handler.Received(s, m)
}

// notifyClosed calls Closed, if Opened was called. It is called once, after a transition with
// effectEnd, by a goroutine that is not within a call of the handler.
func (s *Session) notifyClosed() {
	reason := s.reason()
	s.calls.mu.Lock()
	if s.calls.opened {
		s.server.handler.Closed(s, reason)
	}
	s.calls.mu.Unlock()
	s.server.options.Logger.Debug("session closed", "session", logID(s.id), "remote", s.handshake.RemoteAddr,
		"err", reason)
	if what := cut(reason); what != "" {
		s.server.options.Audit(what, s.handshake.RemoteAddr)
	}
	s.server.running.Done() // the session's own, since register
}

// cut returns what is worth a trace where a session ended for a reason; "" for nothing.
func cut(reason error) string {
	var mistake *ProtocolError
	switch {
	case errors.Is(reason, ErrSlowConsumer):
		return "closed: " + ErrSlowConsumer.Error()
	case errors.As(reason, &mistake) && mistake.Code == closePolicyViolation:
		return "closed: policy violation"
	}
	return ""
}

// logID returns what stands for a session in the log. The sid itself is a secret: anybody who has it can speak as the
// client.
func logID(sid string) string {
	sum := sha256.Sum256([]byte(sid))
	return hex.EncodeToString(sum[:6])
}
