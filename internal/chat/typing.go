package chat

import "time"

// Typing goes through the log, since other instances must see it, but leaves nothing in the state. It is shown on this
// instance at once, and told to the others seldom: again after typingRefresh while it lasts, and by this instance
// altogether no more often than the bucket allows, for every entry is paid for by all.
const (
	typingLasts            = 6 * time.Second
	typingRefresh          = 3 * time.Second
	typingEntriesPerSecond = 10
	typingEntriesBurst     = 20
)

// typer is a user typing in a room.
type typer struct {
	user uint64
	room string
}

// onTyping takes note that a client's user types, or has stopped. Too much of it is ignored.
func (c *Chat) onTyping(r *request, on bool) {
	room, ok := c.roomArgument(r, lobby)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	cl, now, since := r.client, time.Now(), time.Since(c.made)
	if c.closed || cl.user == nil || !cl.mayListen(room) {
		return
	}
	shown := cl.types != nil && cl.types.room == room
	if on && shown && now.Sub(cl.types.at) < typingRefresh || !on && !shown {
		return // known already
	}
	if _, ok := cl.others.take(c.requests, since); !ok {
		return
	}
	cl.types = nil
	if on {
		cl.types = &typist{room: room, at: now}
	}
	c.showTyping(cl.user, cl, room, on)
	if _, ok := c.typingOn.take(c.typingEntries, since); ok && len(c.backplane.Cluster().Instances) > 1 {
		command := command{Kind: typing, Conn: cl.conn, Room: room, On: on}
		if err := c.backplane.Log.Append(command.encode()); err != nil {
			c.logger().Debug("log did not take who types", "err", err)
		}
	}
}

// showTyping tells the clients here that a user types, or has stopped. It has the same name and arguments in both
// vocabularies. cl is the user's client, if it is here.
func (c *Chat) showTyping(u *user, cl *client, room string, on bool) {
	t, now := typer{u.id, room}, time.Now()
	if _, shown := c.typers[t]; !on {
		if !shown {
			return
		}
		delete(c.typers, t)
	} else {
		c.typers[t] = now.Add(typingLasts)
		if !shown {
			c.schedule(task{at: now.Add(typingLasts), kind: endTyping, user: u.id, room: room})
		}
	}
	h := c.halls[room]
	if h == nil {
		return
	}
	event := "typing"
	if !on {
		event = "stop typing"
	}
	to := c.nsp.To(h.classic[0], h.modern[0]).Volatile()
	if cl != nil {
		to = to.Except(cl.socket.ID())
	}
	c.check(to.Emit(event, struct {
		Username string `json:"username"`
		Room     string `json:"room"`
	}{u.name.name, room}))
}

// endTyping ends what a user shows to be doing unless he has gone on.
func (c *Chat) endTyping(t typer, now time.Time) {
	until, shown := c.typers[t]
	if !shown {
		return
	}
	if until.After(now) {
		c.schedule(task{at: until, kind: endTyping, user: t.user, room: t.room})
		return
	}
	if u := c.state.users[t.user]; u != nil {
		c.showTyping(u, c.clientAt(u.at()), t.room, false)
	}
	delete(c.typers, t)
}

// stopTyping ends it because the user has said what he typed, or has gone.
func (c *Chat) stopTyping(u *user, cl *client, room string) {
	if _, shown := c.typers[typer{u.id, room}]; shown {
		c.showTyping(u, cl, room, false)
	}
	if cl != nil && cl.types != nil && cl.types.room == room {
		cl.types = nil
	}
}
