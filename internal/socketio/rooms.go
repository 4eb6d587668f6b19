package socketio

import "slices"

// room is a set of a namespace's sockets. A room without members does not exist.
type room struct {
	name    string
	members []*Socket
}

// membership links a socket to a room and to its slot there.
type membership struct {
	room  *room
	index int // in room.members
}

// Join adds the socket to rooms. Its time grows with the rooms that the socket is in, so it suits up to
// some hundred rooms a socket. It does nothing once the socket has left its namespace.
func (s *Socket) Join(rooms ...string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	for _, name := range rooms {
		s.nsp.joinLocked(s, name)
	}
}

// Leave removes the socket from rooms. It ignores rooms that the socket is not in.
func (s *Socket) Leave(rooms ...string) {
	s.nsp.mu.Lock()
	defer s.nsp.mu.Unlock()
	for _, name := range rooms {
		if i := s.membershipLocked(s.nsp.rooms[name]); i >= 0 {
			s.nsp.leaveLocked(s, i)
		}
	}
}

// membershipLocked returns the index in s.rooms of the membership in r, or -1.
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

// leaveLocked ends the socket's i-th membership. The room's last member moves to the socket's slot.
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
