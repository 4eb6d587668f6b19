package socketio

import (
	"errors"

	"chatapp/internal/engineio"
)

var (
	// ErrReservedEvent is returned for event names that the official clients keep for themselves: connect,
	// connect_error, disconnect, disconnecting, newListener, removeListener.
	ErrReservedEvent = errors.New("reserved event name")
	// ErrDisconnected is returned by methods of a socket that has left its namespace.
	ErrDisconnected = errors.New("socket is disconnected")
	// ErrAcked is returned when an event is acknowledged a second time.
	ErrAcked = errors.New("event is acknowledged already")
	// ErrClientDisconnect is the reason of a socket's end when its client left the namespace.
	ErrClientDisconnect = errors.New("client left the namespace")
	// ErrServerDisconnect is the reason of a socket's end when Disconnect was called.
	ErrServerDisconnect = errors.New("server disconnected the socket")
	// ErrSuperseded is the reason of a socket's end when its client has recovered it over another connection.
	ErrSuperseded = errors.New("another connection took the socket over")
	// ErrPanic is the reason of a socket's end when a handler panicked.
	ErrPanic = errors.New("handler panicked")
	// ErrConnectTimeout is the reason of a connection's end when its client joined no namespace in time.
	ErrConnectTimeout = errors.New("no namespace joined in time")
)

// Lost reports whether a socket that ended for this reason has lost its connection, so that its client
// may come back and recover it. It is false if either side left on purpose, or the client broke the
// protocol.
func Lost(reason error) bool {
	deliberate := []error{ErrClientDisconnect, ErrServerDisconnect, ErrSuperseded, ErrPanic, ErrConnectTimeout}
	for _, err := range deliberate {
		if errors.Is(reason, err) {
			return false
		}
	}
	var protocol *engineio.ProtocolError
	return !errors.As(reason, &protocol)
}
