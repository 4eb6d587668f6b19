package socketio

// Event is an event that a client sent, with its arguments. It is valid until its handler returns: what is needed later
// must be copied, and Deferred taken to acknowledge later.
type Event struct {
	Args
	socket *Socket
	name   []byte // JSON text
	id     uint64
	wanted bool // an acknowledgement
	acked  bool
}

// Name returns the event's name.
func (e *Event) Name() string {
	if name, ok := unquote(e.name); ok {
		return name
	}
	return string(e.name) // a number, see checkEventName
}

// WantsAck tells whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.wanted }

// Ack acknowledges the event with arguments as for Emit. Where the client wants no acknowledgement nothing is sent; the
// second time, or after Deferred, it is ErrAcked.
func (e *Event) Ack(args ...any) error {
	if e.acked {
		return ErrAcked
	}
	return e.Deferred().Send(args...)
}

// Deferred returns the event's acknowledgement, to be sent when its handler has returned.
func (e *Event) Deferred() Ack {
	e.acked = true
	if !e.wanted {
		return Ack{}
	}
	return Ack{socket: e.socket, id: e.id}
}

// Ack is an acknowledgement that a client waits for. It should be sent once: clients ignore any further one. The zero
// value is wanted by nobody. It can be used from any goroutine.
type Ack struct {
	socket *Socket // nil: not wanted
	id     uint64
}

// Wanted tells whether there is a client that waits for it.
func (a Ack) Wanted() bool { return a.socket != nil }

// Send sends the acknowledgement, with arguments as for Emit. It returns ErrDisconnected when the socket is gone, and nil
// when nobody waits for it.
func (a Ack) Send(args ...any) error {
	if a.socket == nil {
		return nil
	}
	server := a.socket.nsp.server
	b := server.borrowBody()
	defer server.returnBody(b)
	if err := b.encodeAck(args); err != nil {
		return err
	}
	return a.socket.send(b, packetAck, a.id, true)
}
