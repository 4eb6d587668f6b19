package chat

import (
	"encoding/json"
	"errors"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// connect lets a client in: as the user that it proves to be, or else without a nickname.
func (c *Chat) connect(s *socketio.Socket) {
	var auth struct {
		Token  string `json:"token"`
		Offset string `json:"offset"`
		PID    string `json:"pid"`
	}
	_ = json.Unmarshal(s.Auth(), &auth) // malformed fields count as absent
	if offset := s.Offset(); offset != "" {
		auth.Offset = offset
	}
	assigned := c.nicknames.assignedName(s)

	c.mu.Lock()
	defer c.unlock()
	if !s.Connected() || c.closed {
		return
	}
	cl := c.local.add(s, assigned)
	if _, ok := c.local.takeRequest(cl); !ok {
		// Joining costs as much as a request, and a client can join again and again. The first time is always free.
		delete(c.local.byConn, cl.conn)
		c.out.refuse(cl, "joined too often")
		return
	}
	recovered, _ := s.Data().(*known)
	s.SetData(cl)
	user := c.identifyLocked(recovered, auth.Token, auth.PID)
	if user == nil && auth.PID != "" {
		cl.former = state.HashOf(auth.PID)
	}
	if user != nil && !c.nicknames.mayBeLocked(cl, user.origin) {
		user = nil // somebody else is signed in now
	}
	if user != nil {
		c.resumeLocked(cl, user, auth.Offset)
	} else {
		c.nicknames.emitSessionLocked(cl, nil, false, state.Accepted)
		c.history.emitLocked(cl, state.Lobby, false)
		c.local.listenLocked(cl, state.Lobby)
		if cl.assigned != nil {
			c.nicknames.claimAssignedLocked(cl)
		}
	}
	c.out.emit(cl, "status", c.status.infoLocked())
}

// identifyLocked returns what is known of the user of a client that was recovered, or that sends a resume token or a
// private id; nil if it is new. A token that is not known here may be that of a user who is newer than this instance's
// state: that the client was somebody else before does not count then.
func (c *Chat) identifyLocked(recovered *known, token, pid string) *known {
	hash := state.HashOf(token)
	newer := isSecret(token) && c.state.UserByToken(hash) == nil
	switch {
	case recovered != nil && !newer:
		return recovered
	case isSecret(token):
		if u := c.state.UserByToken(hash); u != nil {
			return knownOf(u)
		}
		return &known{token: hash}
	case pid != "":
		if u := c.state.UserByClient(state.HashOf(pid)); u != nil {
			return knownOf(u)
		}
	}
	return nil
}

// resumeLocked sends a client what it has missed and claims its user again. Until the log replies, the client counts as
// that user: what it sends comes behind the claim.
func (c *Chat) resumeLocked(cl *client, user *known, offset string) {
	cl.token, cl.name, cl.protocol = user.token, user.name, user.protocol
	u := c.state.UserByToken(user.token)
	c.nicknames.suspectLocked(u)
	rooms := []string{state.Lobby}
	if cl.protocol == state.V09 && len(user.rooms) > 0 {
		rooms = user.rooms
	}
	c.nicknames.emitSessionLocked(cl, rooms, cl.socket.Recovered(), state.Accepted)
	if since, err := state.ParsePosition(offset); err == nil {
		c.resumption.replayLocked(cl, u, rooms, since)
	} else {
		for _, room := range rooms {
			c.history.emitLocked(cl, room, false)
			c.local.listenLocked(cl, room)
		}
		c.rosters.emitAllLocked(cl, rooms)
	}
	claim := c.nicknames.newClaim(cl, user.token)
	if u == nil {
		claim.Name, claim.Key, claim.Rooms = user.name.Name, user.name.Key, user.rooms
	}
	if err := c.commands.appendLocked(newResumingClaim(cl, claim)); err != nil {
		c.nicknames.loseLocked(cl, state.Overloaded)
		return
	}
	c.local.returning[user.token] = cl
}

// disconnect notes that a client has gone, and appends what becomes of its user.
func (c *Chat) disconnect(s *socketio.Socket, reason error) {
	cl, ok := s.Data().(*client)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if c.local.byConn[cl.conn] != cl {
		return
	}
	delete(c.local.byConn, cl.conn)
	cl.usage.account = state.Hash{}
	c.local.returned(cl)
	for len(cl.rooms) > 0 {
		c.local.ignoreLocked(cl, cl.rooms[0])
	}
	wasNamed := cl.isNamed() && !cl.ended
	c.nicknames.forgetOvertaken(cl)
	cl.ended, cl.user = true, nil
	switch {
	case !wasNamed:
	case socketio.Lost(reason), errors.Is(reason, socketio.ErrSuperseded):
		// A superseded client is on another socket already, whose claim makes this void; but that may end before it
		// claims.
		hold := c.options.NameHold
		if c.options.Clean(reason) {
			hold = c.options.CleanHold
		}
		c.commands.retries.appendLocked(cl, &state.Disconnect{HoldMillis: uint64(hold.Milliseconds())})
	default:
		c.commands.retries.appendLocked(cl, &state.LeaveChat{})
	}
}
