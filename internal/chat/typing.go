package chat

import (
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/tokenbucket"
)

// Typing goes through the log, because other instances need it, but leaves nothing in the state. Clients here receive
// it at once. The others receive it seldom, because every instance pays for every entry: again after typingRefresh
// while it lasts, and from this instance altogether no more often than its bucket allows.
const (
	typingLasts            = 6 * time.Second
	typingRefresh          = 3 * time.Second
	typingEntriesPerSecond = 10
	typingEntriesBurst     = 20
)

// typing records which users are displayed as typing. Chat.mu guards it.
type typing struct {
	until  map[typist]time.Time
	start  time.Time         // origin of the bucket
	limit  tokenbucket.Limit // of the entries that this instance appends
	bucket tokenbucket.Bucket
}

// typist is a user typing in a room.
type typist struct {
	user uint64
	room string
}

func newTyping() typing {
	return typing{until: make(map[typist]time.Time), start: time.Now(),
		limit: tokenbucket.NewLimit(typingEntriesPerSecond, typingEntriesBurst)}
}

// takeEntry reports whether an entry may be appended.
func (t *typing) takeEntry() bool {
	_, ok := t.bucket.Take(t.limit, time.Since(t.start))
	return ok
}

// typingChanges reports whether an event that the user types, or has stopped, changes or refreshes what is displayed.
func (cl *client) typingChanges(room string, on bool, now time.Time) bool {
	displayed := cl.typingIn != nil && cl.typingIn.room == room
	if on {
		return !displayed || now.Sub(cl.typingIn.at) >= typingRefresh
	}
	return displayed
}

// typeLocked takes a client's event that its user types, or has stopped. It returns the reason why not, and for TooFast
// how long to wait.
func (c *Chat) typeLocked(cl *client, room string, on bool) (state.Code, time.Duration) {
	now := time.Now()
	switch {
	case c.closed:
		return state.Unavailable, 0
	case cl.user == nil:
		return state.NoName, 0
	case !cl.mayListen(room):
		return state.NotInRoom, 0
	case !cl.typingChanges(room, on, now):
		return state.Accepted, 0
	}
	if wait, ok := c.local.takeRequest(cl); !ok {
		return state.TooFast, wait
	}
	cl.typingIn = nil
	if on {
		cl.typingIn = &typingIn{room: room, at: now}
	}
	c.broadcastTypingLocked(cl.user, cl, room, on)
	if c.typing.takeEntry() && len(c.backplane.Cluster().Instances) > 1 {
		command := state.Command{Conn: cl.conn, Action: &state.Typing{Room: room, On: on}}
		if err := c.backplane.Log.Append(command.Encode()); err != nil {
			c.logger().Debug("log refuses a typing entry", "err", err)
		}
	}
	return state.Accepted, 0
}

// broadcastTypingLocked sends to the clients here that a user types, or has stopped. The event is the same in both
// protocols. cl is the user's client if it is here, or nil.
func (c *Chat) broadcastTypingLocked(u *state.User, cl *client, room string, on bool) {
	t, now := typist{u.ID(), room}, time.Now()
	if _, displayed := c.typing.until[t]; !on {
		if !displayed {
			return
		}
		delete(c.typing.until, t)
	} else {
		c.typing.until[t] = now.Add(typingLasts)
		if !displayed {
			c.endTypingLaterLocked(t, now.Add(typingLasts))
		}
	}
	r := c.local.rooms[room]
	if r == nil {
		return
	}
	name := "typing"
	if !on {
		name = "stop typing"
	}
	both := []string{r.sockets[state.V09][0], r.sockets[state.V4][0]}
	c.out.broadcastVolatile(both, event{name, []any{struct {
		Username string `json:"username"`
		Room     string `json:"room"`
	}{u.Nickname().Name, room}}}, cl)
}

func (c *Chat) endTypingLaterLocked(t typist, at time.Time) {
	c.timers.Add(at, func(now time.Time) { c.endTypingLocked(t, now) })
}

// endTypingLocked ends typing that was not refreshed.
func (c *Chat) endTypingLocked(t typist, now time.Time) {
	until, displayed := c.typing.until[t]
	if !displayed {
		return
	}
	if until.After(now) {
		c.endTypingLaterLocked(t, until)
		return
	}
	if u := c.state.User(t.user); u != nil {
		c.broadcastTypingLocked(u, c.local.at(u.Conn()), t.room, false)
	}
	delete(c.typing.until, t)
}

// stopTypingLocked ends typing because the user has sent the message, or has left. cl may be nil.
func (c *Chat) stopTypingLocked(u *state.User, cl *client, room string) {
	if _, displayed := c.typing.until[typist{u.ID(), room}]; displayed {
		c.broadcastTypingLocked(u, cl, room, false)
	}
	if cl != nil && cl.typingIn != nil && cl.typingIn.room == room {
		cl.typingIn = nil
	}
}
