package chat

import (
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// eraseWithin is how long it takes at most, while the store works, until it has nothing left of a forgotten user.
const eraseWithin = time.Hour

// maxForgotten is how many ids one event "forgotten" lists.
const maxForgotten = 1000

// forgotten is the argument of the event "forgotten".
type forgotten struct {
	Room string   `json:"room"`
	IDs  []string `json:"ids"`
}

// onForget erases the client's user. It counts as much as making a room: all rooms are gone through.
func (c *Chat) onForget(r *request) {
	c.mu.Lock()
	defer c.unlock()
	if !c.local.allowNamedLocked(r) {
		return
	}
	if wait, ok := c.local.take(r.client, allowance.Rooms, 1); !ok {
		c.refuseRequestLocked(r, state.TooFast, wait)
		return
	}
	if c.state.Rules() < state.HistorySince { // an instance of an older build is still there
		c.refuseRequestLocked(r, state.Overloaded, 0)
		return
	}
	r.client.endUser()
	c.commands.requestLocked(r, &state.Forget{Stored: c.history.store != nil})
}

// replyToForgetLocked tells a client by when nothing is left of its user.
func (c *Chat) replyToForgetLocked(p *pendingCommand, stored bool) {
	by := c.backplane.Time()
	if stored {
		by = by.Add(eraseWithin)
	}
	c.options.Audit("forgotten", p.client.socket.Handshake().RemoteAddr, "")
	p.client.name, p.client.token = state.Nickname{}, state.Hash{}
	c.out.reply(p.ack, struct {
		OK bool  `json:"ok"`
		By int64 `json:"by"`
	}{true, by.UnixMilli()})
}

// broadcastErasedLocked tells the clients in a room which lines are forgotten.
func (c *Chat) broadcastErasedLocked(ch *state.Change) {
	c.lines.flushLocked() // lines of the user that wait
	r := c.local.rooms[ch.Room]
	if r == nil {
		return
	}
	r.history = cachedHistory{}
	if r.listeners[state.V09] == 0 {
		return
	}
	for ids := ch.Erased; len(ids) > 0; {
		n := min(len(ids), maxForgotten)
		list := forgotten{Room: ch.Room, IDs: make([]string, n)}
		for i := range list.IDs {
			list.IDs[i] = ids[i].String()
		}
		c.out.broadcastShared(r.sockets[state.V09], share(event{"forgotten", []any{list}}), "")
		ids = ids[n:]
	}
}

// Upkeep is what has to go from the store.
type Upkeep struct {
	// Some users have had themselves forgotten. Once the store has a checkpoint at Index or behind it, and no
	// entries from before it, Change is for all lines up to the number Through. Index 0: nobody has.
	Index, Through uint64
	Change         func(*store.Line) store.Change

	Before time.Time // lines of before are too old; zero: none is
}

// Upkeep returns what has to go from the store. UpkeepDone says that it has.
func (c *Chat) Upkeep() Upkeep {
	c.mu.Lock()
	defer c.mu.Unlock()
	var u Upkeep
	if ms := c.state.Retained(); ms > c.history.dropped {
		u.Before = time.UnixMilli(ms)
	}
	through := make(map[uint64]uint64) // by author
	for _, e := range c.state.Unerased() {
		u.Index, u.Through = max(u.Index, e.Index), max(u.Through, e.Through)
		through[state.Author(e.Token)] = e.Through
	}
	u.Change = func(l *store.Line) store.Change {
		if l.User == 0 || l.Seq > through[l.User] {
			return store.Keep
		}
		line, err := state.DecodeLine(l.Body)
		if err != nil || line.Kind != state.MessageLine {
			return store.Drop
		}
		line = line.Erased()
		l.User, l.Body = 0, line.Encode()
		return store.Replace
	}
	return u
}

// UpkeepDone has the log say what has gone from the store.
func (c *Chat) UpkeepDone(u Upkeep) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !u.Before.IsZero() {
		c.history.dropped = u.Before.UnixMilli()
	}
	if u.Index == 0 {
		return nil
	}
	done := state.Command{Action: &state.ConfirmErased{Through: u.Index}}
	return c.backplane.Log.Append(done.Encode())
}
