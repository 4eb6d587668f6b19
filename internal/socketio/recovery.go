package socketio

// Recovery finds the socket that a client had before it lost its connection: Socket.IO 4.6, "Connection
// state recovery". The server gives a client a private id (pid) when it joins. A client that comes back
// sends that pid with the offset of the last event it received: the last argument of an event, if that
// is a string. The application appends offsets to its events itself, and sends what a recovered client
// missed from [Namespace.OnConnect].
//
// The server calls it without holding a lock, and for several clients at the same time. false makes the
// client a new socket; OnConnect runs in either case.
type Recovery func(namespace, pid, offset string) (Restored, bool)

// Restored is the state that a recovered socket continues with.
type Restored struct {
	// SID is the id that the socket had. If a socket with that id is still connected, it ends with
	// ErrSuperseded.
	SID string
	// Data is what the new socket's Data returns.
	Data any
}
