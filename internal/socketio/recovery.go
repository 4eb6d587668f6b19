package socketio

// Recovery keeps what a socket needs to go on after its connection was lost: Socket.IO 4.6, "Connection state recovery".
// A client that is given a private id (pid) when it joins gives it back when it joins anew, with the last offset it has
// got: the last argument of an event, if that is a string.
//
// Its methods may be called at the same time, and without any of this package's locks.
type Recovery interface {
	// Keep is told of a socket that has lost its connection, see [Lost], and of one restored that a middleware has refused.
	Keep(Session)
	// Restore returns the session of the private id pid, for a client that has got everything up to offset. false makes
	// the client a new socket; its middleware and OnConnect run in either case.
	Restore(namespace, pid, offset string) (Restored, bool)
}

// Session is what remains of a socket.
type Session struct {
	Namespace string
	SID       string // the socket's ID
	PID       string // its PrivateID
	Rooms     []string
	Data      any
}

// Restored is a session to go on with. If a socket with its SID is still there, it is ended with ErrSuperseded.
type Restored struct {
	Session
	// Missed returns the events that the client has not got, to be sent before all that come. It is called with the
	// namespace locked, so that nothing falls between: it must not call this package, nor take a lock under which this
	// package is called. Who has such a lock leaves it nil and emits what was missed in OnConnect, under that lock.
	Missed func() []*Prepared
}

// Recorder is implemented by a Recovery that numbers and keeps all events itself. One that does not implement it expects
// the application to append its own offset to the events that can be recovered.
type Recorder interface {
	// Record is given every event that is neither volatile nor to be acknowledged, before it is sent and in the order in
	// which it is, with its namespace locked: see Restored.Missed. It returns the offset to append as last argument; ""
	// appends nothing. An event that does not pass here should not end in a string, which clients would take for an offset.
	Record(Emission) (offset string)
}

// Emission is an event and whom it goes to. Its slices belong to the caller.
type Emission struct {
	Event  *Prepared
	Rooms  []string // or ids of sockets
	All    bool     // everybody; Rooms is empty
	Except []string // rooms or ids of sockets
}
