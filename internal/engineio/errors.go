package engineio

import (
	"errors"
	"fmt"
)

// Reasons a session ends with, as given to [Handler.Closed]. They may be wrapped: match with errors.Is.
var (
	// ErrClosed is the reason of Close(nil), and what sending on a closed session returns.
	ErrClosed = errors.New("session closed")
	// ErrServerClosed: the server is shutting down.
	ErrServerClosed = errors.New("server shutting down")
	// ErrSlowConsumer: the client did not read as fast as it was sent to, and its queue was full.
	ErrSlowConsumer = errors.New("slow consumer")
	// ErrPingTimeout: no sign of life within ping interval and ping time-out.
	ErrPingTimeout = errors.New("ping timeout")
	// ErrTransportClosed: the client closed or lost its connection, or gave up its poll, without an Engine.IO close.
	ErrTransportClosed = errors.New("transport closed")
	// ErrClientClosed: the client closed the session on purpose, by Engine.IO's packet or the WebSocket's closing handshake: a page that
	// was left or loaded again.
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

// ProtocolError is a mistake of the client that ends its session. Given to [Session.Close] it chooses what a WebSocket
// client is told.
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

// closeCode is the WebSocket close code and reason that tell a client why its session ended.
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
