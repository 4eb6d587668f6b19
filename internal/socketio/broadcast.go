package socketio

import (
	"slices"

	"chatapp/internal/engineio"
)

// Broadcast selects sockets of a namespace as the receivers of an event. It is a value: To, Except and
// Volatile return another. The receivers are looked up when an event is emitted, not when the Broadcast
// is made.
//
// To and Except accept names of rooms and ids of sockets. A socket receives an event once, however many
// of its rooms are named.
type Broadcast struct {
	nsp      *Namespace
	rooms    []string
	except   []string
	all      bool // every socket, and rooms is empty
	volatile bool
}

// All selects every socket of the namespace.
func (n *Namespace) All() Broadcast { return Broadcast{nsp: n, all: true} }

// To selects the sockets in any of the rooms; none if no room is named.
func (n *Namespace) To(rooms ...string) Broadcast { return Broadcast{nsp: n, rooms: rooms} }

// Emit broadcasts an event to every socket of the namespace.
func (n *Namespace) Emit(event string, args ...any) error { return n.All().Emit(event, args...) }

// To adds the sockets in any of the rooms. If every socket was selected, only those in the rooms remain.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.rooms = slices.Concat(b.rooms, rooms)
	b.all = false
	return b
}

// Except leaves out the sockets in any of the rooms.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.except = slices.Concat(b.except, rooms)
	return b
}

// Volatile drops the event for a client that has others queued.
func (b Broadcast) Volatile() Broadcast {
	b.volatile = true
	return b
}

// Emit broadcasts an event, with arguments as for [Socket.Emit]; an error means that they can't be
// encoded. Each protocol's encoding is made once and shared by all receivers.
func (b Broadcast) Emit(event string, args ...any) error {
	p, err := b.nsp.Prepare(event, args...)
	if err != nil {
		return err
	}
	b.EmitPrepared(p)
	return nil
}

// EmitPrepared broadcasts an event that is encoded already. It allocates nothing per receiver, and
// waits for none. It panics if another namespace prepared the event.
func (b Broadcast) EmitPrepared(p *Prepared) {
	n := b.nsp
	n.mustOwn(p)
	n.mu.RLock()
	defer n.mu.RUnlock()
	b.queueLocked(p)
}

// queueLocked queues p for every receiver. A read lock of the namespace is enough.
func (b *Broadcast) queueLocked(p *Prepared) {
	var packet, raw engineio.Fanout
	var isPacket, isRaw bool // begun
	b.visitLocked(func(s *Socket) {
		to, begun := &packet, &isPacket
		if s.client.isRaw() {
			to, begun = &raw, &isRaw
		}
		session := s.client.session
		if !*begun {
			*to, *begun = session.NewFanout(p.form(s.client.isRaw())), true
		}
		// What is not queued was for a session that is over, which also ends its sockets.
		if b.volatile {
			to.SendVolatile(session)
		} else {
			to.Send(session)
		}
	})
	queued := 0
	if isPacket {
		queued += packet.End()
	}
	if isRaw {
		queued += raw.End()
	}
	b.nsp.server.counters.deliveries.Add(uint64(queued))
}

// visitLocked calls visit once with each receiver. A read lock of the namespace is enough.
func (b *Broadcast) visitLocked(visit func(*Socket)) {
	n := b.nsp
	except := n.targetsLocked(b.except)
	offer := func(s *Socket) {
		if !except.hasLocked(s) {
			visit(s)
		}
	}
	if b.all {
		for _, s := range n.all {
			offer(s)
		}
		return
	}
	to := n.targetsLocked(b.rooms)
	for i, r := range to.rooms {
		earlier := targets{rooms: to.rooms[:i]}
		for _, s := range r.members {
			if i == 0 || !earlier.hasLocked(s) {
				offer(s)
			}
		}
	}
	for i, s := range to.sockets {
		earlier := targets{to.rooms, to.sockets[:i]}
		if !earlier.hasLocked(s) {
			offer(s)
		}
	}
}

// targets are the rooms and sockets that a list of names refers to.
type targets struct {
	rooms   []*room
	sockets []*Socket
}

func (n *Namespace) targetsLocked(names []string) (t targets) {
	for _, name := range names {
		if r := n.rooms[name]; r != nil {
			t.rooms = append(t.rooms, r)
		}
		if s := n.sockets[name]; s != nil {
			t.sockets = append(t.sockets, s)
		}
	}
	return t
}

// hasLocked reports whether s is one of the sockets or in one of the rooms.
func (t *targets) hasLocked(s *Socket) bool {
	for _, socket := range t.sockets {
		if socket == s {
			return true
		}
	}
	for _, r := range t.rooms {
		if s.membershipLocked(r) >= 0 {
			return true
		}
	}
	return false
}
