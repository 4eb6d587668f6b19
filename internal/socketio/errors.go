package socketio

import (
	"errors"

	"chatapp/internal/engineio"
)

var (
	// ErrReservedEvent is returned for event names that the official clients keep for themselves: connect,
	// connect_error, disconnect, disconnecting, newListener, removeListener.
	ErrReservedEvent = errors.New("reserved event name")
	// ErrDisconnected is returned by a socket that has left its namespace, and given to those who wait for its
	// acknowledgements.
	ErrDisconnected = errors.New("socket is disconnected")
	// ErrAckTimeout is given to those who wait for an acknowledgement that did not come in time.
	ErrAckTimeout = errors.New("acknowledgement timed out")
	// ErrAcked is returned when an event is acknowledged a second time.
	ErrAcked = errors.New("event is acknowledged already")
	// ErrTooManyAcks is returned when a socket owes more acknowledgements than Options.MaxPendingAcks.
	ErrTooManyAcks = errors.New("too many acknowledgements outstanding")
	// ErrClientDisconnect is the reason of a socket's end when its client left the namespace.
	ErrClientDisconnect = errors.New("client left the namespace")
	// ErrServerDisconnect is the reason of a socket's end when Disconnect or CloseConnection was called.
	ErrServerDisconnect = errors.New("server ended the socket")
	// ErrSuperseded is the reason of a socket's end when its client has come back, and been recovered, over another
	// connection.
	ErrSuperseded = errors.New("another connection took the socket over")
	// ErrPanic is the reason of a socket's end when a handler panicked.
	ErrPanic = errors.New("handler panicked")
	// ErrConnectTimeout is the reason of a connection's end when its client joined no namespace in time.
	ErrConnectTimeout = errors.New("no namespace joined in time")
)

// Lost tells whether a socket that ended with this reason has lost its connection, so that its client may come back to it.
// It has not where either side left on purpose, or the client broke the protocol.
func Lost(reason error) bool {
	for _, meant := range []error{ErrClientDisconnect, ErrServerDisconnect, ErrSuperseded, ErrPanic, ErrConnectTimeout} {
		if errors.Is(reason, meant) {
			return false
		}
	}
	var protocol *engineio.ProtocolError
	return !errors.As(reason, &protocol)
}
