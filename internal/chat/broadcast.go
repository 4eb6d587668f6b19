package chat

import "chatapp/internal/chat/state"

// broadcastLocked sends the clients here what an entry has changed.
func (c *Chat) broadcastLocked(changes []state.Change) {
	for i := range changes {
		c.broadcastChangeLocked(&changes[i], c.lines.waits[i])
	}
}

// broadcastChangeLocked sends one change, without its line if that waits.
func (c *Chat) broadcastChangeLocked(ch *state.Change, waits bool) {
	u, cl := ch.User, c.local.at(ch.At) // cl is the user's client
	switch ch.Kind {
	case state.Said:
		c.typing.stopLocked(u, cl, ch.Room)
		c.lines.broadcastLocked(u, cl, ch.Room, &ch.Line, c.commands.confirm(u, &ch.Line))
	case state.Joined, state.Left, state.Renamed:
		if ch.Kind == state.Left {
			c.typing.stopLocked(u, cl, ch.Room)
		}
		if !waits {
			c.lines.broadcastLocked(u, cl, ch.Room, &ch.Line, nil)
		}
		c.rosters.changeLocked(ch.Room)
		if ch.Lost && cl != nil && cl.user == u {
			c.local.ignoreLocked(cl, ch.Room)
			c.nicknames.emitSessionLocked(cl, u.Rooms(), cl.socket.Recovered(), state.RoomClosed)
		}
	case state.Away, state.Back:
		c.expiry.watchLocked(u)
		c.presence.changeLocked(u)
		if ch.Kind == state.Away {
			c.nicknames.claimOvertakenLocked(u)
		}
	case state.Orphaned:
		c.expiry.watchLocked(u)
	case state.Typed:
		if ch.At.Instance != c.local.instance { // otherwise it was sent at once
			c.typing.broadcastLocked(u, nil, ch.Room, ch.On)
		}
	case state.Erased:
		c.broadcastErasedLocked(ch)
	case state.Freed:
		delete(c.rosters.away, u.ID())
		c.nicknames.claimOvertakenLocked(u)
		if cl != nil && cl.user == u {
			cl.user = nil
			c.local.syncRoomsLocked(cl)
		}
	}
}
