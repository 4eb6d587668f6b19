package chat

import (
	"slices"
	"time"

	"chatapp/internal/socketio"
)

// lineView is a line as clients are given it in a history.
type lineView struct {
	Kind     string `json:"kind"`
	ID       string `json:"id"`
	Time     int64  `json:"time"`
	Room     string `json:"room"`
	From     string `json:"from"`
	Was      string `json:"was,omitempty"`
	Text     string `json:"text"`
	CID      string `json:"cid,omitempty"`
	Instance string `json:"instance,omitempty"`
}

type lines struct {
	Messages []lineView `json:"messages"`
	More     bool       `json:"more"`
	Reset    bool       `json:"reset,omitempty"`
}

func (c *Chat) view(room string, last []line, more bool) lines {
	views := make([]lineView, len(last))
	for i := range last {
		l := &last[i]
		views[i] = lineView{Kind: l.kindName(), ID: l.position().String(), Time: l.Time, Room: room, From: l.From, Was: l.Was,
			Text: l.Text, CID: l.CID, Instance: l.Instance}
		if l.Kind != messageLine {
			views[i].Text = l.words(room)
		}
	}
	return lines{Messages: views, More: more}
}

// preparedHistory is a room's history event as of a position: many clients come between two lines.
type preparedHistory struct {
	id      string
	reset   bool
	encoded *socketio.Prepared
}

// historyEvent is what a client is given that comes to a room. Its offset is the last position that clients here have
// been told of, up to which nothing else is left to send.
func (c *Chat) historyEvent(room string, reset bool) *socketio.Prepared {
	h, r, told := c.halls[room], c.state.rooms[room], c.told()
	id := told.String()
	if r == nil {
		return c.prepare(event{"history", []any{room, lines{Messages: []lineView{}, Reset: reset}, id}})
	}
	if h != nil && h.history.encoded != nil && h.history.id == id && h.history.reset == reset {
		return h.history.encoded
	}
	last, more := r.last(c.options.HistoryOnJoin, told.Seq+1)
	v := c.view(room, last, more)
	v.Reset = reset
	p := c.prepare(event{"history", []any{room, v, id}})
	if h != nil {
		h.history = preparedHistory{id: id, reset: reset, encoded: p}
	}
	return p
}

func (c *Chat) emitHistory(cl *client, room string, reset bool) {
	if p := c.historyEvent(room, reset); p != nil {
		c.check(cl.socket.EmitPrepared(p))
	}
}

// Clients may wait for the state to come to where they say that they have been: not too many of them, and not for long,
// since the log may have lost what they had.
const (
	maxAhead = 1000
	maxWait  = 10 * time.Second
)

// replay sends a client what it has missed since a position, in its vocabulary and without what it knows of itself, and
// from then on what happens. It is called before the client listens to anything. u is its user or whom it claims to be;
// nil: nobody.
func (c *Chat) replay(cl *client, u *user, rooms []string, since position) {
	if since.Seq > c.state.last.Seq && len(c.ahead) < maxAhead {
		if len(c.ahead) == 0 {
			c.schedule(task{at: time.Now().Add(maxWait), kind: stopWaiting})
		}
		cl.ahead = &ahead{after: since, since: time.Now()}
		c.ahead = append(c.ahead, cl)
		return
	}
	if since.Seq > c.told().Seq {
		c.tellGathered() // some of which it has been told elsewhere
	}
	all, whole := c.state.missedBy(rooms, since)
	if whole {
		for i := range all {
			if all[i].line.Seq > c.told().Seq {
				break // it is told of with everybody
			}
			c.emitLine(cl, u, all[i].room, &all[i].line)
		}
	}
	for _, room := range rooms {
		if !whole {
			c.emitHistory(cl, room, true)
		}
		c.listen(cl, room)
	}
}

// emitLine sends one client a line, unless it knows it already.
func (c *Chat) emitLine(cl *client, u *user, room string, l *line) {
	switch {
	case l.ownedBy(u):
	case cl.dialect == classic:
		e := c.classicEvent(room, l, "")
		c.emit(cl, e.name, e.args...)
	case room == lobby:
		for _, e := range c.modernEvents(room, l) {
			c.emit(cl, e.name, e.args...)
		}
	}
}

// catchUp lets those clients listen who had been further than the state, and whom it has now reached.
func (c *Chat) catchUp() {
	if len(c.ahead) == 0 {
		return
	}
	waiting := c.ahead[:0]
	for _, cl := range c.ahead {
		switch {
		case cl.ended, cl.ahead == nil:
		case c.state.last.Seq < cl.ahead.after.Seq:
			waiting = append(waiting, cl)
		default:
			since := cl.ahead.after
			cl.ahead = nil
			c.replay(cl, c.state.byToken[cl.token], c.roomsOf(cl), since)
		}
	}
	clear(c.ahead[len(waiting):])
	c.ahead = waiting
}

// stopWaiting gives those who have waited in vain what there is.
func (c *Chat) stopWaiting(now time.Time) {
	c.ahead = slices.DeleteFunc(c.ahead, func(cl *client) bool {
		if cl.ended || cl.ahead == nil || now.Sub(cl.ahead.since) < maxWait {
			return cl.ended || cl.ahead == nil
		}
		cl.ahead = nil
		for _, room := range c.roomsOf(cl) {
			c.emitHistory(cl, room, true)
			c.listen(cl, room)
		}
		return true
	})
	if len(c.ahead) > 0 {
		c.schedule(task{at: c.ahead[0].ahead.since.Add(maxWait), kind: stopWaiting})
	}
}

// roomsOf returns the rooms that the user whom a client claims to be is in.
func (c *Chat) roomsOf(cl *client) []string {
	if u := c.state.byToken[cl.token]; u != nil && cl.dialect == classic && len(u.rooms) > 0 {
		return u.rooms
	}
	return []string{lobby}
}

// provisional returns the keys of the messages that clients have been shown provisionally.
func (c *Chat) provisional() map[string]bool {
	keys := make(map[string]bool)
	for _, p := range c.pending {
		if p.provisional {
			keys[p.command.CID] = true
		}
	}
	return keys
}

// showMissed sends everybody here what has happened between a position and the state, which was restored.
func (c *Chat) showMissed(since position) {
	rooms := make([]string, 0, len(c.halls))
	for name := range c.halls {
		if c.state.rooms[name] != nil {
			rooms = append(rooms, name)
		}
	}
	all, whole := c.state.missedBy(rooms, since)
	if whole {
		provisional := c.provisional()
		for i := range all {
			l := &all[i].line
			u := c.state.users[l.User]
			var cl *client
			if u != nil {
				cl = c.clientAt(u.at())
			}
			replaces := ""
			if l.Instance == c.backplane.Instance && provisional[l.CID] {
				replaces = l.CID
			}
			c.showLine(u, cl, all[i].room, l, replaces)
		}
		return
	}
	c.resetHistory()
}

// resetHistory has everybody here replace what they show.
func (c *Chat) resetHistory() {
	for name, h := range c.halls {
		if p := c.historyEvent(name, true); p != nil && h.here[classic] > 0 {
			c.broadcast(h.classic[:], p)
		}
	}
}
