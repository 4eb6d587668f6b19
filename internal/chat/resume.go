package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// resumption says which clients return to a user. Chat.mu guards it.
type resumption struct {
	returning map[state.Hash]*client // by token: their claims are on their way through the log
	overtaken map[state.Hash]*client // by token: the user is on a socket that was connected later
	ahead     []*client              // wait for this instance to apply what they have received elsewhere
}

func newResumption() resumption {
	return resumption{returning: make(map[state.Hash]*client), overtaken: make(map[state.Hash]*client)}
}

// ahead is a client that has received the log up to a position which this instance has not reached.
type ahead struct {
	after state.Position
	since time.Time // when the client began to wait
}

// Not too many clients may wait for this instance to catch up, and none for long: the log may have lost what they have
// received.
const (
	maxAhead     = 1000
	maxAheadWait = 10 * time.Second
)

// returned ends the wait of a client for the log to bind it to its user.
func (r *resumption) returned(cl *client) {
	if r.returning[cl.token] == cl {
		delete(r.returning, cl.token)
	}
}

// replayLocked sends a client what it has missed since a position, in its protocol and without what it knows of itself,
// and makes it listen. It is called before the client listens to anything. u is the user that the client returns to;
// nil: none that is known.
func (c *Chat) replayLocked(cl *client, u *state.User, rooms []string, since state.Position) {
	if since.Seq > c.state.Last().Seq && len(c.resumption.ahead) < maxAhead {
		if len(c.resumption.ahead) == 0 {
			c.timers.Add(time.Now().Add(maxAheadWait), c.stopWaitingLocked)
		}
		cl.ahead = &ahead{after: since, since: time.Now()}
		c.resumption.ahead = append(c.resumption.ahead, cl)
		return
	}
	if since.Seq > c.sentLocked().Seq {
		c.flushLocked() // the client has received some of it elsewhere
	}
	missed, whole := c.state.MissedBy(rooms, since)
	if whole {
		for i := range missed {
			if missed[i].Line.Seq > c.sentLocked().Seq {
				break // it is broadcast later
			}
			c.emitLineLocked(cl, u, missed[i].Room, &missed[i].Line)
		}
	}
	for _, room := range rooms {
		if !whole {
			c.emitHistoryLocked(cl, room, true)
		}
		c.listenLocked(cl, room)
	}
}

// catchUpLocked resumes the clients that were ahead of this instance and no longer are.
func (c *Chat) catchUpLocked() {
	if len(c.resumption.ahead) == 0 {
		return
	}
	waiting := c.resumption.ahead[:0]
	for _, cl := range c.resumption.ahead {
		switch {
		case cl.ended, cl.ahead == nil:
		case c.state.Last().Seq < cl.ahead.after.Seq:
			waiting = append(waiting, cl)
		default:
			since := cl.ahead.after
			cl.ahead = nil
			c.replayLocked(cl, c.state.UserByToken(cl.token), c.roomsOfLocked(cl), since)
		}
	}
	clear(c.resumption.ahead[len(waiting):])
	c.resumption.ahead = waiting
}

// stopWaitingLocked gives the clients that have waited in vain the history that this instance has.
func (c *Chat) stopWaitingLocked(now time.Time) {
	waiting := slices.DeleteFunc(c.resumption.ahead, func(cl *client) bool {
		if cl.ended || cl.ahead == nil || now.Sub(cl.ahead.since) < maxAheadWait {
			return cl.ended || cl.ahead == nil
		}
		cl.ahead = nil
		for _, room := range c.roomsOfLocked(cl) {
			c.emitHistoryLocked(cl, room, true)
			c.listenLocked(cl, room)
		}
		return true
	})
	c.resumption.ahead = waiting
	if len(waiting) > 0 {
		c.timers.Add(waiting[0].ahead.since.Add(maxAheadWait), c.stopWaitingLocked)
	}
}

// roomsOfLocked returns the rooms of the user that a client returns to.
func (c *Chat) roomsOfLocked(cl *client) []string {
	if u := c.state.UserByToken(cl.token); u != nil && cl.protocol == state.V09 && len(u.Rooms()) > 0 {
		return u.Rooms()
	}
	return []string{state.Lobby}
}
