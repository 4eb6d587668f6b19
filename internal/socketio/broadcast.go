package socketio

import (
	"slices"

	"chatapp/internal/engineio"
)

// Broadcast is a choice of a namespace's sockets. It is a value: its methods that narrow or widen the choice return
// another. Who is in it is found out when it is used.
//
// To and Except take rooms and ids of sockets alike. A socket is reached once, however many of its rooms are named.
type Broadcast struct {
	nsp      *Namespace
	rooms    []string
	except   []string
	sender   *Socket // left out, if not nil
	all      bool    // everybody, and rooms is empty
	volatile bool
}

// All chooses every socket of the namespace.
func (n *Namespace) All() Broadcast { return Broadcast{nsp: n, all: true} }

// To chooses the sockets in any of the rooms; none where no room is named.
func (n *Namespace) To(rooms ...string) Broadcast { return Broadcast{nsp: n, rooms: rooms} }

// Except chooses every socket but those in any of the rooms.
func (n *Namespace) Except(rooms ...string) Broadcast { return n.All().Except(rooms...) }

// Emit sends an event to every socket of the namespace.
func (n *Namespace) Emit(event string, args ...any) error { return n.All().Emit(event, args...) }

// Broadcast chooses every other socket of the namespace.
func (s *Socket) Broadcast() Broadcast { return Broadcast{nsp: s.nsp, all: true, sender: s} }

// To chooses the other sockets in any of the rooms.
func (s *Socket) To(rooms ...string) Broadcast {
	return Broadcast{nsp: s.nsp, rooms: rooms, sender: s}
}

// To adds the sockets in any of the rooms. Of everybody it leaves those.
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

// Volatile makes events worthless later: a client that does not keep up misses them, and they are not recovered.
func (b Broadcast) Volatile() Broadcast {
	b.volatile = true
	return b
}

// Emit sends an event to the chosen sockets, with arguments as for [Socket.Emit]; an error means that they cannot be
// encoded. It is encoded once for each door and then only pointed to.
func (b Broadcast) Emit(event string, args ...any) error {
	p, err := b.nsp.Prepare(event, args...)
	if err != nil {
		return err
	}
	b.EmitPrepared(p)
	return nil
}

// EmitPrepared sends an event that is encoded already. It allocates nothing for a receiver, and waits for none. It panics
// if the event was prepared by another namespace.
func (b Broadcast) EmitPrepared(p *Prepared) {
	n := b.nsp
	n.mustOwn(p)
	if n.server.recorder == nil || b.volatile {
		n.mu.RLock()
		defer n.mu.RUnlock()
		b.sendLocked(p)
		return
	}
	// Alone, so that every socket gets events in the order they were recorded.
	n.mu.Lock()
	defer n.mu.Unlock()
	emission := Emission{Event: p, Rooms: b.rooms, Except: b.except, All: b.all}
	if b.sender != nil {
		emission.Except = append(slices.Clone(b.except), b.sender.id)
	}
	if offset := n.server.recorder.Record(emission); offset != "" {
		p = p.WithOffset(offset)
	}
	b.sendLocked(p)
}

// sendLocked queues p for every chosen socket. The caller holds the namespace's lock, at least for reading.
func (b *Broadcast) sendLocked(p *Prepared) {
	var packet, bare *engineio.Prepared
	var queued uint64
	b.visitLocked(func(s *Socket) {
		form := &packet
		if s.client.bare() {
			form = &bare
		}
		if *form == nil {
			*form = p.form(s.client.bare())
		}
		// An error means that the session is over, and its sockets end.
		if b.volatile {
			if s.client.session.SendVolatile(*form) {
				queued++
			}
		} else if s.client.session.SendPrepared(*form) == nil {
			queued++
		}
	})
	b.nsp.server.counters.deliveries.Add(queued)
}

// targets are rooms and single sockets that names stand for.
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

// has tells whether s is among the targets.
func (t *targets) has(s *Socket) bool {
	return slices.Contains(t.sockets, s) ||
		slices.ContainsFunc(t.rooms, func(r *room) bool { return s.membershipLocked(r) >= 0 })
}

// visitLocked calls visit with each chosen socket, once. The caller holds the namespace's lock, at least for reading.
func (b *Broadcast) visitLocked(visit func(*Socket)) {
	n := b.nsp
	except := n.targetsLocked(b.except)
	offer := func(s *Socket) {
		if s != b.sender && !except.has(s) {
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
			if i == 0 || !earlier.has(s) {
				offer(s)
			}
		}
	}
	for i, s := range to.sockets {
		earlier := targets{to.rooms, to.sockets[:i]}
		if !earlier.has(s) {
			offer(s)
		}
	}
}

// Sockets returns the sockets chosen at this moment, in no order.
func (b Broadcast) Sockets() []*Socket {
	b.nsp.mu.RLock()
	defer b.nsp.mu.RUnlock()
	var sockets []*Socket
	b.visitLocked(func(s *Socket) { sockets = append(sockets, s) })
	return sockets
}

// Len returns how many sockets are chosen at this moment.
func (b Broadcast) Len() int {
	b.nsp.mu.RLock()
	defer b.nsp.mu.RUnlock()
	n := 0
	b.visitLocked(func(*Socket) { n++ })
	return n
}

// Join adds the chosen sockets to rooms.
func (b Broadcast) Join(rooms ...string) {
	for _, s := range b.Sockets() {
		s.Join(rooms...)
	}
}

// Leave removes the chosen sockets from rooms.
func (b Broadcast) Leave(rooms ...string) {
	for _, s := range b.Sockets() {
		s.Leave(rooms...)
	}
}

// Disconnect disconnects the chosen sockets, see [Socket.Disconnect].
func (b Broadcast) Disconnect() {
	for _, s := range b.Sockets() {
		s.Disconnect()
	}
}

// CloseConnections closes the connections of the chosen sockets, see [Socket.CloseConnection].
func (b Broadcast) CloseConnections() {
	for _, s := range b.Sockets() {
		s.CloseConnection()
	}
}
