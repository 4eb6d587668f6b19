package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// roster is the list of a room's users, as it is sent when somebody joins or leaves. In a quiet system that is at once.
// The length of the list times its receivers grows with the square of the users. So the list of a large room is sent to
// all no more often than rosterBytesPerSecond allows; meanwhile, announcements tell clients what has changed. A client
// that joins receives it at once, or a moment later if it is long and was just sent to others. While users join or
// leave so fast that their lines are coalesced, all this waits, for rosterPatience at most.
type roster struct {
	next      time.Time // it is not sent to all before
	scheduled bool      // it is going to be sent at that time
	event     *sharedEvent
	size      int       // of the event, about, in bytes
	at        time.Time // when the event was made
}

// rosters says which rosters have to be sent. Chat.mu guards it.
type rosters struct {
	changed  []string  // rooms
	joiners  []*client // that have received a nickname by the entry being applied
	deferred time.Time // since when rosters wait; zero: they do not
}

const (
	rosterBytesPerSecond = 8 << 20
	freeRosterBytes      = 8 << 10 // so many are sent without consequences
	longRoster           = 4096    // bytes; a longer one is not made for each client that joins
	rosterLasts          = 250 * time.Millisecond
	rosterRetryEvery     = 250 * time.Millisecond
	rosterPatience       = 2 * time.Second
)

// isFresh reports whether the list is long and was made a moment ago, so that it serves more clients.
func (r *roster) isFresh(now time.Time) bool {
	return r.event != nil && r.size >= longRoster && now.Sub(r.at) <= rosterLasts
}

// changeRosterLocked notes that a room's users have changed. sendRostersLocked follows.
func (c *Chat) changeRosterLocked(room string) {
	if !slices.Contains(c.rosters.changed, room) {
		c.rosters.changed = append(c.rosters.changed, room)
	}
}

// sendRostersLocked sends the rosters that have changed, now or soon, and in any case the lobby's to the clients that
// have just joined. It does nothing while rosters are deferred.
func (c *Chat) sendRostersLocked() {
	if !c.rosters.deferred.IsZero() {
		return
	}
	now := time.Now()
	if r := c.local.rooms[state.Lobby]; r != nil && len(c.rosters.joiners) > 0 && r.roster.isFresh(now) {
		c.deferRostersLocked(now) // clients that join after each other share one
		return
	}
	c.sendRostersNowLocked(now)
}

func (c *Chat) sendRostersNowLocked(now time.Time) {
	lobbySent := false
	for _, room := range c.rosters.changed {
		r := c.local.rooms[room]
		if r == nil || r.roster.scheduled {
			continue
		}
		if !r.roster.next.After(now) {
			c.broadcastRosterLocked(r, now)
			lobbySent = lobbySent || room == state.Lobby
			continue
		}
		c.scheduleRosterLocked(r, r.roster.next)
	}
	if !lobbySent {
		c.emitToJoinersLocked(now)
	}
	clear(c.rosters.joiners)
	c.rosters.changed, c.rosters.joiners = c.rosters.changed[:0], c.rosters.joiners[:0]
}

// scheduleRosterLocked has a room's roster sent at a time.
func (c *Chat) scheduleRosterLocked(r *localRoom, at time.Time) {
	r.roster.scheduled = true
	room := r.name
	c.timers.Add(at, func(now time.Time) { c.sendDueRosterLocked(room, now) })
}

// sendDueRosterLocked sends a roster that was scheduled, or has it sent with the deferred ones.
func (c *Chat) sendDueRosterLocked(room string, now time.Time) {
	r := c.local.rooms[room]
	switch {
	case r == nil || !r.roster.scheduled:
	case c.rosters.deferred.IsZero():
		c.broadcastRosterLocked(r, now)
	default:
		r.roster.scheduled = false
		c.changeRosterLocked(room)
	}
}

// emitToJoinersLocked sends the lobby's roster to the clients that have just joined.
func (c *Chat) emitToJoinersLocked(now time.Time) {
	r := c.local.rooms[state.Lobby]
	if r == nil || len(c.rosters.joiners) == 0 {
		return
	}
	c.makeRosterLocked(r, now)
	for _, cl := range c.rosters.joiners {
		if cl.protocol == state.V09 {
			c.out.emitShared(cl, r.roster.event)
		}
	}
}

// deferRostersLocked defers all rosters, because many users join or leave.
func (c *Chat) deferRostersLocked(now time.Time) {
	if c.rosters.deferred.IsZero() {
		c.rosters.deferred = now
		c.timers.Add(now.Add(rosterRetryEvery), c.sendDeferredRostersLocked)
	}
}

// sendDeferredRostersLocked sends the deferred rosters if no lines are waiting, or they have waited for long.
func (c *Chat) sendDeferredRostersLocked(now time.Time) {
	busy := len(c.lines.waiting) > 0
	if busy && now.Sub(c.rosters.deferred) < rosterPatience {
		c.timers.Add(now.Add(rosterRetryEvery), c.sendDeferredRostersLocked)
		return
	}
	c.lines.flushLocked()
	c.rosters.deferred = time.Time{}
	c.sendRostersNowLocked(now)
	if busy {
		c.deferRostersLocked(now)
	}
}

// broadcastRosterLocked sends a room's roster to all its listeners.
func (c *Chat) broadcastRosterLocked(r *localRoom, now time.Time) {
	r.roster.scheduled = false
	if r.listeners[state.V09] == 0 {
		return
	}
	c.makeRosterLocked(r, now)
	c.out.broadcastShared(r.sockets[state.V09], r.roster.event, "")
	if bytes := r.roster.size * r.listeners[state.V09]; bytes > freeRosterBytes {
		r.roster.next = now.Add(time.Duration(bytes) * time.Second / rosterBytesPerSecond)
	}
}

// emitRosterLocked sends a room's roster to one client.
func (c *Chat) emitRosterLocked(cl *client, room string) {
	if cl.protocol != state.V09 {
		return
	}
	r, now := c.local.rooms[room], time.Now()
	if r == nil { // the client has to wait before it listens, see ahead
		e, _ := c.rosterEventLocked(room)
		c.out.emitEvent(cl, e)
		return
	}
	if !r.roster.isFresh(now) {
		c.makeRosterLocked(r, now)
	}
	c.out.emitShared(cl, r.roster.event)
}

func (c *Chat) makeRosterLocked(r *localRoom, now time.Time) {
	e, size := c.rosterEventLocked(r.name)
	r.roster.event, r.roster.size, r.roster.at = share(e), size, now
}

// rosterMeta is the second argument of "nicknames".
type rosterMeta struct {
	Room  string   `json:"room"`
	Users int      `json:"users"`
	Away  []string `json:"away,omitempty"`
	More  bool     `json:"more,omitempty"` // there are users that are not listed
}

// rosterNames is the first argument of "nicknames": an object whose keys and values are the names.
type rosterNames []string

// rosterEventLocked returns the list of a room's users, and about how many bytes its encoding takes. It lists as many
// as fit maxRosterBytes, by name: the event "who" has the others.
func (c *Chat) rosterEventLocked(room string) (e event, size int) {
	const overhead = 48 // of the event and its second argument
	m := rosterMeta{Room: room}
	var names rosterNames
	size = overhead + len(room)
	if r := c.state.Room(room); r != nil {
		m.Users = r.NumMembers()
		names = make(rosterNames, 0, m.Users)
		members := r.Members()
		if len(c.presence.away) > 0 || c.rosterBytesLocked(r) > maxRosterBytes {
			members = slices.Values(r.SortedMembers()) // otherwise the order does not matter
		}
		for u := range members {
			bytes := c.rosterEntryLocked(u)
			if size+bytes > maxRosterBytes {
				m.More = true
				break
			}
			size += bytes
			names = append(names, u.Nickname().Name)
			if _, away := c.presence.away[u.ID()]; away {
				m.Away = append(m.Away, u.Nickname().Name)
			}
		}
	}
	return event{"nicknames", []any{names, m}}, size
}

// rosterEntryLocked returns how many bytes a user takes in a roster.
func (c *Chat) rosterEntryLocked(u *state.User) int {
	bytes := 2*jsonSize(u.Nickname().Name) + len(`:,`)
	if _, away := c.presence.away[u.ID()]; away {
		bytes += jsonSize(u.Nickname().Name) + len(`,`)
	}
	return bytes
}

// rosterBytesLocked returns how many bytes the users of a room take in a roster that lists all.
func (c *Chat) rosterBytesLocked(r *state.Room) int {
	bytes := 0
	for u := range r.Members() {
		bytes += c.rosterEntryLocked(u)
	}
	return bytes
}
