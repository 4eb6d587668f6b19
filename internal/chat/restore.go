package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// Snapshot encodes the state. The result belongs to the caller.
func (c *Chat) Snapshot() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Encode()
}

// Restore replaces the state by one that another instance's Snapshot has encoded, and sends the clients here what they
// have missed between the two. On error the old state stays.
func (c *Chat) Restore(snapshot []byte) error {
	restored, err := state.Decode(snapshot)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.unlock()
	c.lines.flushLocked()
	before := c.state.Last()
	c.state, c.lines.last = restored, restored.Last()
	for _, cl := range c.local.sorted() {
		cl.user = restored.UserOn(c.local.id(cl))
	}
	if restored.Ahead(before) {
		c.history.resetLocked() // the log has lost what was sent here
	} else {
		c.broadcastMissedLocked(before)
	}
	for name := range c.local.rooms {
		c.rosters.changeLocked(name) // it lists the away users as well
	}
	c.presence.resetLocked()
	for u := range restored.Users() {
		c.expiry.watchLocked(u)
	}
	c.finishLocked()
	return nil
}

// broadcastMissedLocked sends the clients here what has happened between a position and the state, which was restored.
func (c *Chat) broadcastMissedLocked(since state.Position) {
	rooms := make([]string, 0, len(c.local.rooms))
	for name := range c.local.rooms {
		if c.state.Room(name) != nil {
			rooms = append(rooms, name)
		}
	}
	missed, whole := c.history.missedByLocked(rooms, since, maxMissedBytes)
	if !whole {
		c.history.resetLocked()
		return
	}
	for i := range missed {
		l := &missed[i].Line
		u := c.state.User(l.User)
		var cl *client
		if u != nil {
			cl = c.local.at(u.Conn())
		}
		c.lines.broadcastLocked(u, cl, missed[i].Room, l, c.commands.confirm(u, l))
	}
}

// Joined returns the commands that this instance appends first, now that it is in sync: it claims again the nicknames
// of clients here that are away or gone by the log, because the other instances have evicted this one.
func (c *Chat) Joined() [][]byte {
	c.mu.Lock()
	defer c.unlock()
	var bodies [][]byte
	for _, cl := range c.local.sorted() {
		cl.user = c.state.UserOn(c.local.id(cl))
		if cl.user != nil || cl.claims.pending > 0 || cl.name.Key == "" {
			continue
		}
		c.nicknames.forgetOvertaken(cl)
		p := c.nicknames.newReclaim(cl)
		p.command.Conn = cl.conn
		bodies = append(bodies, c.commands.expect(p))
	}
	c.status.broadcastLocked()
	c.timers.Add(time.Now().Add(statusAfterGone), c.status.checkLocked) // only then the instance is ready
	return bodies
}

// Committed replies to the client whose command is in the log and in the state that was restored.
func (c *Chat) Committed(e Entry) {
	command, err := state.DecodeCommand(e.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if p := c.commands.take(command.Ref); p != nil {
		c.replyLocked(p, c.outcomeLocked(p))
		c.withdrawLocked(p)
	}
}

// outcomeLocked derives from the state what a command has led to.
func (c *Chat) outcomeLocked(p *pendingCommand) state.Outcome {
	if say, ok := p.command.Action.(*state.Say); ok {
		at, found := c.state.SaidAt(p.client.token, say.CID)
		if !found {
			return state.Outcome{Code: state.NotInRoom}
		}
		return state.Outcome{At: at}
	}
	// The user may be disconnected, if the others have evicted this instance. Joined claims it again.
	u := c.state.UserByConn(state.ConnID{Instance: c.local.instance, Conn: p.command.Conn})
	claim := p.claim()
	switch p.command.Action.(type) {
	case *state.LeaveChat, *state.Forget:
		return state.Outcome{}
	}
	if u == nil || u.Status() == state.Expired {
		if claim != nil {
			return state.Outcome{Code: state.NameTaken}
		}
		return state.Outcome{Code: state.NoName}
	}
	switch action := p.command.Action.(type) {
	case *state.Rename:
		if u.Nickname().Key != action.Key {
			return state.Outcome{Code: state.NameTaken}
		}
	case *state.Join:
		return c.joinedLocked(u, action.Room)
	case *state.Enter:
		return c.joinedLocked(u, c.state.Meant(action.Room))
	}
	return state.Outcome{User: u}
}

func (c *Chat) joinedLocked(u *state.User, room string) state.Outcome {
	if !slices.Contains(u.Rooms(), room) {
		return state.Outcome{Code: state.TooManyRooms}
	}
	return state.Outcome{User: u, Room: room}
}
