package chat

// auditEvictionsLocked leaves a trace of the client whose command has cost others a room or history, on the instance
// that the client is on. rooms and lines are the numbers of State.Evictions before the command.
func (c *Chat) auditEvictionsLocked(p *pendingCommand, rooms, lines uint64) {
	nowRooms, nowLines := c.state.Evictions()
	if p == nil || rooms == nowRooms && lines == nowLines {
		return
	}
	remote, name := p.client.socket.Handshake().RemoteAddr, p.client.name.Name
	if rooms != nowRooms {
		c.options.Audit("made a room for which another was closed", remote, name)
	}
	if lines != nowLines {
		c.options.Audit("filled the history: old lines dropped", remote, name)
	}
}
