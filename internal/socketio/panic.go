package socketio

import (
	"errors"
	"fmt"
	"runtime/debug"

	"chatapp/internal/engineio"
)

// Every call of the application's functions for one client is made with recovered deferred: what panics there costs that
// client its connection, and nobody else anything.

// recovered closes the client whose handler panicked.
func (c *client) recovered() {
	if cause := recover(); cause != nil {
		c.panicked(cause)
	}
}

func (c *client) panicked(cause any) {
	c.server.panicked(cause, c.session.Handshake().RemoteAddr)
	c.session.Close(errors.Join(ErrPanic, &engineio.ProtocolError{Code: closeInternalError, Reason: "internal error"}))
}

// recovered is for functions that belong to no client in particular.
func (s *Server) recovered() {
	if cause := recover(); cause != nil {
		s.panicked(cause, "")
	}
}

func (s *Server) panicked(cause any, remote string) {
	s.counters.panics.Add(1)
	s.log.Error("handler panicked", "remote", remote, "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
}
