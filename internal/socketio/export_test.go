package socketio

// Sockets returns the receivers that the broadcast has at this moment, in no order.
func (b Broadcast) Sockets() (sockets []*Socket) {
	b.nsp.mu.RLock()
	defer b.nsp.mu.RUnlock()
	b.visitLocked(func(s *Socket) { sockets = append(sockets, s) })
	return sockets
}

// Len returns how many receivers the broadcast has at this moment.
func (b Broadcast) Len() int { return len(b.Sockets()) }

// Rooms returns the rooms the socket is in, in no order.
func (s *Socket) Rooms() (names []string) {
	s.nsp.mu.RLock()
	defer s.nsp.mu.RUnlock()
	for _, m := range s.rooms {
		names = append(names, m.room.name)
	}
	return names
}
