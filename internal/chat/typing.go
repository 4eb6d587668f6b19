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

// typing sends clients who types. Chat.mu guards it.
type typing struct {
	*core
	local *localClients

	until  map[typist]time.Time // when clients stop displaying a user as typing
	start  time.Time            // origin of the bucket
	limit  tokenbucket.Limit    // of the entries that this instance appends
	bucket tokenbucket.Bucket
}

// typist is a user typing in a room.
type typist struct {
	user uint64
	room string
}

func newTyping(c *core, local *localClients) typing {
	return typing{core: c, local: local, until: make(map[typist]time.Time),
		start: time.Now(), limit: tokenbucket.NewLimit(typingEntriesPerSecond, typingEntriesBurst)}
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
func (t *typing) typeLocked(cl *client, room string, on bool) (state.Code, time.Duration) {
	now := time.Now()
	switch {
	case t.closed:
		return state.Unavailable, 0
	case cl.user == nil:
		return state.NoName, 0
	case !cl.mayListen(room):
		return state.NotInRoom, 0
	case !cl.typingChanges(room, on, now):
		return state.Accepted, 0
	}
	if wait, ok := t.local.takeRequest(cl); !ok {
		return state.TooFast, wait
	}
	cl.typingIn = nil
	if on {
		cl.typingIn = &typingIn{room: room, at: now}
	}
	t.broadcastLocked(cl.user, cl, room, on)
	if t.takeEntry() && len(t.backplane.Cluster().Instances) > 1 {
		command := state.Command{Conn: cl.conn, Action: &state.Typing{Room: room, On: on}}
		if err := t.backplane.Log.AppendFor(command.Encode(), cl.account(), ""); err != nil {
			t.logger().Debug("log refuses a typing entry", "err", err)
		}
	}
	return state.Accepted, 0
}

// broadcastLocked sends to the clients here that a user types, or has stopped. The event is the same in both
// protocols. cl is the user's client if it is here, or nil.
func (t *typing) broadcastLocked(u *state.User, cl *client, room string, on bool) {
	who, now := typist{u.ID(), room}, time.Now()
	if _, displayed := t.until[who]; !on {
		if !displayed {
			return
		}
		delete(t.until, who)
	} else {
		t.until[who] = now.Add(typingLasts)
		if !displayed {
			t.endLaterLocked(who, now.Add(typingLasts))
		}
	}
	r := t.local.rooms[room]
	if r == nil {
		return
	}
	name := "typing"
	if !on {
		name = "stop typing"
	}
	both := []string{r.sockets[state.V09][0], r.sockets[state.V4][0]}
	t.out.broadcastVolatile(both, event{name, []any{struct {
		Username string `json:"username"`
		Room     string `json:"room"`
	}{u.Nickname().Name, room}}}, cl)
}

func (t *typing) endLaterLocked(who typist, at time.Time) {
	t.timers.Add(at, func(now time.Time) { t.endLocked(who, now) })
}

// endLocked ends typing that was not refreshed.
func (t *typing) endLocked(who typist, now time.Time) {
	until, displayed := t.until[who]
	if !displayed {
		return
	}
	if until.After(now) {
		t.endLaterLocked(who, until)
		return
	}
	if u := t.state.User(who.user); u != nil {
		t.broadcastLocked(u, t.local.at(u.Conn()), who.room, false)
	}
	delete(t.until, who)
}

// stopLocked ends typing because the user has sent the message, or has left. cl may be nil.
func (t *typing) stopLocked(u *state.User, cl *client, room string) {
	if _, displayed := t.until[typist{u.ID(), room}]; displayed {
		t.broadcastLocked(u, cl, room, false)
	}
	if cl != nil && cl.typingIn != nil && cl.typingIn.room == room {
		cl.typingIn = nil
	}
}

func (t *typing) onTyping(r *request, on bool) {
	room, ok := t.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	t.mu.Lock()
	defer t.unlock()
	code, wait := t.typeLocked(r.client, t.state.Meant(room), on)
	switch {
	case !r.ack.Wanted(): // a refusal would cost more than it says
	case code != state.Accepted:
		t.refuseRequestLocked(r, code, wait)
	default:
		t.out.reply(r.ack, succeeded{true})
	}
}
