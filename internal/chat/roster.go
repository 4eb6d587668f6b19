package chat

import (
	"slices"
	"time"

	"chatapp/internal/socketio"
)

// roster is the list of a room's names, as it is sent when somebody comes or goes. On a quiet system that is at once.
// The list's length times its receivers grows with the square of the users, so in a large room it is sent to all no more
// often than rosterBytesPerSecond allows: announcements tell what has changed meanwhile. Who comes is sent it at once, or
// a moment later, if it is long and others have just got it. All that is put off while a crowd comes or goes, for
// rosterPatience at most.
type roster struct {
	next    time.Time // not before
	due     bool      // it is on the agenda
	encoded *socketio.Prepared
	at      time.Time // when it was encoded
}

const (
	rosterBytesPerSecond = 8 << 20
	freeRosterBytes      = 8 << 10 // so many are sent without further thought
	longRoster           = 4096    // bytes, from which on it is not encoded for each who comes
	rosterLasts          = 250 * time.Millisecond
	calmLook             = 250 * time.Millisecond
	rosterPatience       = 2 * time.Second
)

type rosterMeta struct {
	Room  string   `json:"room"`
	Users int      `json:"users"`
	Away  []string `json:"away,omitempty"`
}

// isFresh reports that the list is long and was encoded a moment ago: it is not encoded for each who comes.
func (r *roster) isFresh(now time.Time) bool {
	return r.encoded != nil && r.encoded.Size() >= longRoster && now.Sub(r.at) <= rosterLasts
}

// changeRoster notes that a room's names have changed. sendRosters follows.
func (c *Chat) changeRoster(room string) {
	if !slices.Contains(c.changed, room) {
		c.changed = append(c.changed, room)
	}
}

// sendRosters sends the names of the rooms where they have changed, now or soon, and to who has come in any case. While a
// crowd comes or goes that waits for calm.
func (c *Chat) sendRosters() {
	if !c.crowdSince.IsZero() {
		return
	}
	now := time.Now()
	if h := c.halls[lobby]; h != nil && len(c.newcomers) > 0 && h.roster.isFresh(now) {
		c.awaitCalm(now) // who come after each other share a list
		return
	}
	c.listNames(now)
}

// listNames is sendRosters without delay.
func (c *Chat) listNames(now time.Time) {
	greeted := false
	for _, room := range c.changed {
		h := c.halls[room]
		if h == nil {
			continue
		}
		if !h.roster.due && !h.roster.next.After(now) {
			c.sendRoster(room, now)
			greeted = greeted || room == lobby
			continue
		}
		if !h.roster.due {
			h.roster.due = true
			c.schedule(task{at: h.roster.next, kind: sendRoster, room: room})
		}
	}
	if !greeted {
		c.greetNewcomers(now)
	}
	clear(c.newcomers)
	c.changed, c.newcomers = c.changed[:0], c.newcomers[:0]
}

// greetNewcomers sends the names in the lobby to who has come.
func (c *Chat) greetNewcomers(now time.Time) {
	h := c.halls[lobby]
	if h == nil || len(c.newcomers) == 0 {
		return
	}
	h.roster.encoded, h.roster.at = c.prepare(c.rosterEvent(lobby)), now
	for _, cl := range c.newcomers {
		if cl.dialect == classic && h.roster.encoded != nil {
			c.check(cl.socket.EmitPrepared(h.roster.encoded))
		}
	}
}

// awaitCalm puts off the lists of names, for a crowd comes or goes.
func (c *Chat) awaitCalm(now time.Time) {
	if c.crowdSince.IsZero() {
		c.crowdSince = now
		c.schedule(task{at: now.Add(calmLook), kind: lookForCalm})
	}
}

// lookForCalm sends the lists put off, if the crowd has passed or they have waited for long.
func (c *Chat) lookForCalm(now time.Time) {
	goesOn := len(c.gathering.lines) > 0
	if goesOn && now.Sub(c.crowdSince) < rosterPatience {
		c.schedule(task{at: now.Add(calmLook), kind: lookForCalm})
		return
	}
	c.tellGathered()
	c.crowdSince = time.Time{}
	c.listNames(now)
	if goesOn {
		c.awaitCalm(now)
	}
}

// sendDueRoster sends a room's names because it is time, or notes that they are to be sent once a crowd has passed.
func (c *Chat) sendDueRoster(room string, now time.Time) {
	h := c.halls[room]
	switch {
	case h == nil || !h.roster.due:
	case c.crowdSince.IsZero():
		c.sendRoster(room, now)
	default:
		h.roster.due = false
		c.changeRoster(room)
	}
}

// sendRoster sends a room's names to all who listen.
func (c *Chat) sendRoster(room string, now time.Time) {
	h := c.halls[room]
	h.roster.due = false
	if h.here[classic] == 0 {
		return
	}
	h.roster.encoded, h.roster.at = c.prepare(c.rosterEvent(room)), now
	c.broadcast(h.classic[:], h.roster.encoded)
	if bytes := h.roster.encoded.Size() * h.here[classic]; bytes > freeRosterBytes {
		h.roster.next = now.Add(time.Duration(bytes) * time.Second / rosterBytesPerSecond)
	}
}

// emitRoster sends a room's names to one client.
func (c *Chat) emitRoster(cl *client, room string) {
	if cl.dialect != classic {
		return
	}
	h, now := c.halls[room], time.Now()
	if h == nil { // it waits to listen, see Chat.ahead
		e := c.rosterEvent(room)
		c.emit(cl, e.name, e.args...)
		return
	}
	if r := &h.roster; !r.isFresh(now) {
		r.encoded, r.at = c.prepare(c.rosterEvent(room)), now
	}
	c.check(cl.socket.EmitPrepared(h.roster.encoded))
}

func (c *Chat) rosterEvent(room string) event {
	names := make(map[string]string)
	m := rosterMeta{Room: room}
	if r := c.state.rooms[room]; r != nil {
		m.Users = len(r.members)
		for _, u := range r.members {
			names[u.name.name] = u.name.name
		}
		m.Away = c.awayIn(r)
	}
	return event{"nicknames", []any{names, m}}
}

// awayIn returns the members of a room whom clients were told to be away.
func (c *Chat) awayIn(r *room) (names []string) {
	if len(c.shownAway) == 0 {
		return nil // sorting is dear
	}
	for _, u := range r.sorted() {
		if _, told := c.shownAway[u.id]; told {
			names = append(names, u.name.name)
		}
	}
	return names
}
