package socketio

import (
	"errors"
	"fmt"
	"runtime/debug"

	"chatapp/internal/engineio"
)

// recoverPanic is deferred around every call of the application's functions. A panic closes the client
// that the function was called for, and affects no other.
func (c *client) recoverPanic() {
	cause := recover()
	if cause == nil {
		return
	}
	c.server.counters.panics.Add(1)
	c.server.log.Error("handler panicked", "remote", c.session.Handshake().RemoteAddr,
		"err", fmt.Sprint(cause), "stack", string(debug.Stack()))
	c.session.Close(errors.Join(ErrPanic, &engineio.ProtocolError{Code: closeInternalError, Reason: "internal error"}))
}
