package socketio

import "slices"

// room is a set of a namespace's sockets. It exists while it has members.
type room struct {
	name    string
	members []*Socket
}

// membership is a socket's place in a room.
type membership struct {
	room  *room
	index int // in room.members
}

// Join adds the socket to rooms. Joining costs time in proportion to the rooms the socket is in: it is meant for up to
// some hundred. A socket that has left its namespace joins nothing.
func (s *Socket) Join(rooms ...string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	for _, name := range rooms {
		s.nsp.joinLocked(s, name)
	}
}

// Leave removes the socket from rooms, where it is in them.
func (s *Socket) Leave(rooms ...string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	for _, name := range rooms {
		if i := s.membershipLocked(s.nsp.rooms[name]); i >= 0 {
			s.nsp.leaveLocked(s, i)
		}
	}
}

// Rooms returns the rooms the socket is in, in no order.
func (s *Socket) Rooms() []string {
	s.nsp.mu.RLock()
	defer s.nsp.mu.RUnlock()
	return s.roomNamesLocked()
}

func (s *Socket) roomNamesLocked() []string {
	names := make([]string, len(s.rooms))
	for i, m := range s.rooms {
		names[i] = m.room.name
	}
	return names
}

// membershipLocked returns which of the socket's memberships is r's, or -1.
func (s *Socket) membershipLocked(r *room) int {
	if r == nil {
		return -1
	}
	return slices.IndexFunc(s.rooms, func(m membership) bool { return m.room == r })
}

func (n *Namespace) joinLocked(s *Socket, name string) {
	if !s.present.Load() {
		return
	}
	r := n.rooms[name]
	if r == nil {
		r = &room{name: name}
		n.rooms[name] = r
	}
	if s.membershipLocked(r) >= 0 {
		return
	}
	s.rooms = append(s.rooms, membership{r, len(r.members)})
	r.members = append(r.members, s)
}

// leaveLocked ends the socket's i-th membership. The room's last member takes the socket's place in it.
func (n *Namespace) leaveLocked(s *Socket, i int) {
	m := s.rooms[i]
	s.rooms = slices.Delete(s.rooms, i, i+1)
	last := len(m.room.members) - 1
	moved := m.room.members[last]
	m.room.members[last] = nil
	m.room.members = m.room.members[:last]
	if moved != s {
		m.room.members[m.index] = moved
		moved.rooms[moved.membershipLocked(m.room)].index = m.index
	}
	if last == 0 {
		delete(n.rooms, m.room.name)
	}
}
