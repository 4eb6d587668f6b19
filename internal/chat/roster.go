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

// rosters sends clients who is in their rooms. Chat.mu guards it.
type rosters struct {
	*core
	local *localClients
	lines *lines

	away     map[uint64]struct{} // users that clients have been sent as away
	changed  []string            // rooms
	joiners  []*client           // that have received a nickname by the entry being applied
	deferred time.Time           // since when rosters wait; zero: they do not
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

// changeLocked notes that a room's users have changed. sendLocked follows.
func (rs *rosters) changeLocked(room string) {
	if !slices.Contains(rs.changed, room) {
		rs.changed = append(rs.changed, room)
	}
}

// sendLocked sends the rosters that have changed, now or soon, and in any case the lobby's to the clients that
// have just joined. It does nothing while rosters are deferred.
func (rs *rosters) sendLocked() {
	if !rs.deferred.IsZero() {
		return
	}
	now := time.Now()
	if r := rs.local.rooms[state.Lobby]; r != nil && len(rs.joiners) > 0 && r.roster.isFresh(now) {
		rs.deferLocked(now) // clients that join after each other share one
		return
	}
	rs.sendNowLocked(now)
}

func (rs *rosters) sendNowLocked(now time.Time) {
	lobbySent := false
	for _, room := range rs.changed {
		r := rs.local.rooms[room]
		if r == nil || r.roster.scheduled {
			continue
		}
		if !r.roster.next.After(now) {
			rs.broadcastLocked(r, now)
			lobbySent = lobbySent || room == state.Lobby
			continue
		}
		rs.scheduleLocked(r, r.roster.next)
	}
	if !lobbySent {
		rs.emitToJoinersLocked(now)
	}
	clear(rs.joiners)
	rs.changed, rs.joiners = rs.changed[:0], rs.joiners[:0]
}

// scheduleLocked has a room's roster sent at a time.
func (rs *rosters) scheduleLocked(r *localRoom, at time.Time) {
	r.roster.scheduled = true
	room := r.name
	rs.timers.Add(at, func(now time.Time) { rs.sendDueLocked(room, now) })
}

// sendDueLocked sends a roster that was scheduled, or has it sent with the deferred ones.
func (rs *rosters) sendDueLocked(room string, now time.Time) {
	r := rs.local.rooms[room]
	switch {
	case r == nil || !r.roster.scheduled:
	case rs.deferred.IsZero():
		rs.broadcastLocked(r, now)
	default:
		r.roster.scheduled = false
		rs.changeLocked(room)
	}
}

// emitToJoinersLocked sends the lobby's roster to the clients that have just joined.
func (rs *rosters) emitToJoinersLocked(now time.Time) {
	r := rs.local.rooms[state.Lobby]
	if r == nil || len(rs.joiners) == 0 {
		return
	}
	rs.makeLocked(r, now)
	for _, cl := range rs.joiners {
		if cl.protocol == state.V09 {
			rs.out.emitShared(cl, r.roster.event)
		}
	}
}

// deferLocked defers all rosters, because many users join or leave.
func (rs *rosters) deferLocked(now time.Time) {
	if rs.deferred.IsZero() {
		rs.deferred = now
		rs.timers.Add(now.Add(rosterRetryEvery), rs.sendDeferredLocked)
	}
}

// sendDeferredLocked sends the deferred rosters if no lines are waiting, or they have waited for long.
func (rs *rosters) sendDeferredLocked(now time.Time) {
	busy := len(rs.lines.waiting) > 0
	if busy && now.Sub(rs.deferred) < rosterPatience {
		rs.timers.Add(now.Add(rosterRetryEvery), rs.sendDeferredLocked)
		return
	}
	rs.lines.flushLocked()
	rs.deferred = time.Time{}
	rs.sendNowLocked(now)
	if busy {
		rs.deferLocked(now)
	}
}

// broadcastLocked sends a room's roster to all its listeners.
func (rs *rosters) broadcastLocked(r *localRoom, now time.Time) {
	r.roster.scheduled = false
	if r.listeners[state.V09] == 0 {
		return
	}
	rs.makeLocked(r, now)
	rs.out.broadcastShared(r.sockets[state.V09], r.roster.event, "")
	if bytes := r.roster.size * r.listeners[state.V09]; bytes > freeRosterBytes {
		r.roster.next = now.Add(time.Duration(bytes) * time.Second / rosterBytesPerSecond)
	}
}

// emitLocked sends a room's roster to one client.
func (rs *rosters) emitLocked(cl *client, room string) {
	if cl.protocol != state.V09 {
		return
	}
	r, now := rs.local.rooms[room], time.Now()
	if r == nil { // the client has to wait before it listens, see ahead
		e, _ := rs.eventLocked(room)
		rs.out.emitEvent(cl, e)
		return
	}
	if !r.roster.isFresh(now) {
		rs.makeLocked(r, now)
	}
	rs.out.emitShared(cl, r.roster.event)
}

func (rs *rosters) makeLocked(r *localRoom, now time.Time) {
	e, size := rs.eventLocked(r.name)
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

// eventLocked returns the list of a room's users, and about how many bytes its encoding takes. It lists as many
// as fit maxRosterBytes, by name: the event "who" has the others.
func (rs *rosters) eventLocked(room string) (e event, size int) {
	const overhead = 48 // of the event and its second argument
	m := rosterMeta{Room: room}
	var names rosterNames
	size = overhead + len(room)
	if r := rs.state.Room(room); r != nil {
		m.Users = r.NumMembers()
		names = make(rosterNames, 0, m.Users)
		members := r.Members()
		if len(rs.away) > 0 || rs.bytesLocked(r) > maxRosterBytes {
			members = slices.Values(r.SortedMembers()) // otherwise the order does not matter
		}
		for u := range members {
			bytes := rs.entryLocked(u)
			if size+bytes > maxRosterBytes {
				m.More = true
				break
			}
			size += bytes
			names = append(names, u.Nickname().Name)
			if _, away := rs.away[u.ID()]; away {
				m.Away = append(m.Away, u.Nickname().Name)
			}
		}
	}
	return event{"nicknames", []any{names, m}}, size
}

// entryLocked returns how many bytes a user takes in a roster.
func (rs *rosters) entryLocked(u *state.User) int {
	bytes := 2*jsonSize(u.Nickname().Name) + len(`:,`)
	if _, away := rs.away[u.ID()]; away {
		bytes += jsonSize(u.Nickname().Name) + len(`,`)
	}
	return bytes
}

// bytesLocked returns how many bytes the users of a room take in a roster that lists all.
func (rs *rosters) bytesLocked(r *state.Room) int {
	bytes := 0
	for u := range r.Members() {
		bytes += rs.entryLocked(u)
	}
	return bytes
}
