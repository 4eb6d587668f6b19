package socketio

// Event is an event that a client sent, with its arguments. It is valid until its handler returns. A
// handler copies what it needs for longer, and takes Deferred to acknowledge the event later.
type Event struct {
	Args
	socket   *Socket
	name     []byte // JSON text
	id       uint64
	wantsAck bool
	acked    bool
}

// WantsAck reports whether the client waits for an acknowledgement.
func (e *Event) WantsAck() bool { return e.wantsAck }

// Ack acknowledges the event with arguments as for [Socket.Emit]. It sends nothing if the client wants
// no acknowledgement. A second call, and one after Deferred, returns ErrAcked.
func (e *Event) Ack(args ...any) error {
	if e.acked {
		return ErrAcked
	}
	return e.Deferred().Send(args...)
}

// Deferred returns the event's acknowledgement, which may be sent after the handler has returned.
func (e *Event) Deferred() Ack {
	e.acked = true
	if !e.wantsAck {
		return Ack{}
	}
	return Ack{socket: e.socket, id: e.id}
}

// Ack is an acknowledgement that a client waits for. Send it once: clients ignore any further one. No
// client waits for the zero value. It is safe for concurrent use.
type Ack struct {
	socket *Socket // nil: not wanted
	id     uint64
}

// Wanted reports whether a client waits for the acknowledgement.
func (a Ack) Wanted() bool { return a.socket != nil }

// Send queues the acknowledgement, with arguments as for [Socket.Emit]. It returns ErrDisconnected when
// the socket is gone, and nil when no client waits for it.
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
	return a.socket.send(b, packetAck, a.id)
}
