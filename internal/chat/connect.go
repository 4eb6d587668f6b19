package chat

import (
	"encoding/json"
	"errors"

	"chatapp/internal/socketio"
)

// Recovery returns the connection state recovery of Socket.IO, which finds its sessions in the replicated state: a
// client may come back to any instance. It belongs into the options of the server whose namespace is attached.
func (c *Chat) Recovery() socketio.Recovery { return c.restore }

// returning is what is known of a client that is recovered.
type returning struct {
	token   hash
	name    nickname
	rooms   []string
	dialect dialect
}

// restore is a socketio.Recovery. It finds the socket of a known user whose missed lines are all kept; connect sends these
// lines, under the lock that Apply holds as well.
func (c *Chat) restore(nsp, pid, offset string) (socketio.Restored, bool) {
	since, err := parsePosition(offset)
	if c.nsp == nil || nsp != c.nsp.Name() || err != nil {
		return socketio.Restored{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.state.byPage[hashOf(pid)]
	if u == nil || u.sid == "" || c.closed {
		return socketio.Restored{}, false
	}
	if _, whole := c.state.missedBy(u.rooms, since); !whole {
		return socketio.Restored{}, false
	}
	return socketio.Restored{SID: u.sid, Data: u.returning()}, true
}

func (u *user) returning() *returning {
	return &returning{token: u.token, name: u.name, rooms: append([]string(nil), u.rooms...), dialect: u.dialect}
}

// connect lets a client in: as who it was, if it can tell, or else without a name.
func (c *Chat) connect(s *socketio.Socket) {
	var auth struct {
		Token  string `json:"token"`
		Offset string `json:"offset"`
		PID    string `json:"pid"`
	}
	_ = json.Unmarshal(s.Auth(), &auth) // what isn't as it should be is as if not given
	if offset := s.Offset(); offset != "" {
		auth.Offset = offset
	}
	recovered, _ := s.Data().(*returning)

	c.mu.Lock()
	defer c.unlock()
	if !s.Connected() || c.closed {
		return
	}
	cl := c.newClient(s)
	cl.fixed = c.signedIn(s)
	s.SetData(cl)
	known := recovered
	switch {
	case known != nil:
	case isSecret(auth.Token):
		known = &returning{token: hashOf(auth.Token)}
		if u := c.state.byToken[known.token]; u != nil {
			known = u.returning()
		}
	case auth.PID != "":
		if u := c.state.byPage[hashOf(auth.PID)]; u != nil {
			known = u.returning()
		}
	}
	if known != nil && !cl.mayBeCalled(known.name) {
		known = nil // it is somebody else who is signed in now
	}
	if known == nil {
		c.emitSession(cl, nil, false, accepted)
		c.emitHistory(cl, lobby, false)
		c.listen(cl, lobby)
		if cl.fixed != nil {
			c.claimSignedIn(cl)
		}
	} else {
		c.comeBack(cl, known, auth.Offset)
	}
	c.emitStatus(cl)
}

// comeBack gives a client what it has missed and claims its name again. Until the log answers it is taken at its
// word: what it says meanwhile comes after the claim.
func (c *Chat) comeBack(cl *client, known *returning, offset string) {
	cl.token, cl.name, cl.dialect = known.token, known.name, known.dialect
	u := c.state.byToken[known.token]
	c.suspect(u)
	rooms := []string{lobby}
	if cl.dialect == classic && len(known.rooms) > 0 {
		rooms = known.rooms
	}
	c.emitSession(cl, rooms, cl.socket.Recovered(), accepted)
	if since, err := parsePosition(offset); err == nil {
		c.replay(cl, u, rooms, since)
	} else {
		for _, room := range rooms {
			c.emitHistory(cl, room, false)
			c.listen(cl, room)
		}
	}
	for _, room := range rooms {
		c.emitRoster(cl, room)
	}
	claim := c.claimFor(cl, known.token)
	if u == nil {
		claim.Name, claim.Key, claim.Rooms = known.name.name, known.name.key, known.rooms
	}
	if err := c.append(&pending{command: claim, client: cl, resumes: true}); err != nil {
		cl.name = nickname{}
		c.settleRooms(cl)
		c.emitSession(cl, cl.rooms, false, overloaded)
		return
	}
	c.comingBack[known.token] = cl
}

// cameBack takes note that a client no longer waits for the log to take it back.
func (c *Chat) cameBack(cl *client) {
	if c.comingBack[cl.token] == cl {
		delete(c.comingBack, cl.token)
	}
}

// disconnect takes note that a client has gone, and tells the log what becomes of its user.
func (c *Chat) disconnect(s *socketio.Socket, reason error) {
	cl, ok := s.Data().(*client)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if c.clients[cl.conn] != cl {
		return
	}
	delete(c.clients, cl.conn)
	c.cameBack(cl)
	for len(cl.rooms) > 0 {
		c.ignore(cl, cl.rooms[0])
	}
	wasNamed := cl.named() && !cl.ended
	c.notLate(cl)
	cl.ended, cl.user = true, nil
	switch {
	case !wasNamed:
	case socketio.Lost(reason), errors.Is(reason, socketio.ErrSuperseded):
		// Who is superseded is on another socket already, whose claim makes this void; but it may end before it claims.
		hold := c.options.NameHold
		if c.options.Clean(reason) {
			hold = c.options.CleanHold
		}
		c.insist(command{Kind: dropUser, Conn: cl.conn, Hold: uint64(hold.Milliseconds())})
	default:
		c.insist(command{Kind: leaveChat, Conn: cl.conn})
	}
}
