package engineio

import (
	"errors"
	"fmt"
)

// Reasons for the end of a session, as [Handler.Closed] receives them. They may be wrapped: match
// them with errors.Is.
var (
	// ErrClosed stands for the reason nil of Close. Sending on a closed session returns it too.
	ErrClosed = errors.New("session closed")
	// ErrServerClosed means that Drain or Shutdown closed the session.
	ErrServerClosed = errors.New("server shutting down")
	// ErrSlowConsumer means that the client did not read as fast as messages were sent: its queue
	// was full, or its socket took nothing for the time of a heartbeat.
	ErrSlowConsumer = errors.New("slow consumer")
	// ErrPingTimeout means that no sign of life came within ping interval and ping time-out.
	ErrPingTimeout = errors.New("ping timeout")
	// ErrTransportClosed means that the client closed or lost its connection, or gave up its poll,
	// without an Engine.IO close.
	ErrTransportClosed = errors.New("transport closed")
	// ErrClientClosed means that the client closed the session on purpose, by Engine.IO's packet or
	// the WebSocket's closing handshake: its user left the page or loaded it again.
	ErrClientClosed = errors.New("closed by client")
)

// WebSocket close codes, RFC 6455 section 7.4.1.
const (
	closeNormal          = 1000
	closeGoingAway       = 1001
	closeProtocolError   = 1002
	closeInvalidData     = 1007
	closePolicyViolation = 1008
	closeTooBig          = 1009
)

// ProtocolError is a mistake of the client that ends its session. As the reason of [Session.Close]
// it sets the close code and reason that a WebSocket client receives.
type ProtocolError struct {
	Code   int    // WebSocket close code, RFC 6455 section 7.4
	Reason string // for people; at most 123 bytes travel
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("protocol error: %s", e.Reason)
}

func protocolError(code int, reason string) *ProtocolError {
	return &ProtocolError{Code: code, Reason: reason}
}

// closeCode returns the WebSocket close code and reason for a session's reason to end.
func closeCode(err error) (int, string) {
	var protocol *ProtocolError
	switch {
	case errors.As(err, &protocol):
		return protocol.Code, protocol.Reason
	case errors.Is(err, ErrServerClosed):
		return closeGoingAway, ErrServerClosed.Error()
	case errors.Is(err, ErrSlowConsumer):
		return closePolicyViolation, ErrSlowConsumer.Error()
	case errors.Is(err, ErrPingTimeout):
		return closeGoingAway, ErrPingTimeout.Error()
	}
	return closeNormal, ""
}
