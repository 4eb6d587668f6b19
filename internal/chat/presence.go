package chat

import (
	"maps"
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// Many connections are lost together, as when an instance dies, and often for a moment only, as when a page is
// reloaded. So clients receive that a user is away, or back, a little later, once, and not at all if it is over
// by then.
const (
	presenceDelay = time.Second
	maxAwayEvents = 20 // so many users make a room's roster be sent rather than one event for each
)

// presence records which users are away, and which of them are about to expire. Chat.mu guards it.
type presence struct {
	changed map[uint64]struct{} // users that may be away or back since clients were sent it
	away    map[uint64]struct{} // users that clients have been sent as away
	expiry  expiry
}

func newPresence() presence {
	return presence{changed: make(map[uint64]struct{}), away: make(map[uint64]struct{})}
}

// reset takes the users of a state as sent.
func (p *presence) reset(s *state.State) {
	clear(p.away)
	for u := range s.Users() {
		if u.Status() == state.Disconnected {
			p.away[u.ID()] = struct{}{}
		}
	}
}

// update returns the users that are away, or back, and were sent otherwise, in the order of their ids.
func (p *presence) update(s *state.State) (changed []*state.User) {
	for _, id := range slices.Sorted(maps.Keys(p.changed)) {
		_, sent := p.away[id]
		u := s.User(id)
		if u == nil || (u.Status() == state.Disconnected) == sent {
			continue
		}
		changed = append(changed, u)
		if sent {
			delete(p.away, id)
		} else {
			p.away[id] = struct{}{}
		}
	}
	clear(p.changed)
	return changed
}

// changePresenceLocked notes that a user may be away or back.
func (c *Chat) changePresenceLocked(u *state.User) {
	if len(c.presence.changed) == 0 {
		c.timers.Add(time.Now().Add(presenceDelay), c.sendPresenceLocked)
	}
	c.presence.changed[u.ID()] = struct{}{}
}

// sendPresenceLocked sends which users are away, or back.
func (c *Chat) sendPresenceLocked(time.Time) {
	c.lines.flushLocked()
	changed := c.presence.update(c.state)
	for _, u := range changed {
		for _, room := range u.Rooms() {
			if len(changed) >= maxAwayEvents {
				c.changeRosterLocked(room)
			} else {
				c.broadcastAwayLocked(u, room)
			}
		}
	}
	c.sendRostersLocked()
}

// broadcastAwayLocked sends to the listeners of a room that a user is away, or back. It includes the client of the
// user, whose roster may have listed the user as away.
func (c *Chat) broadcastAwayLocked(u *state.User, room string) {
	r := c.local.rooms[room]
	if r == nil || r.listeners[state.V09] == 0 {
		return
	}
	c.out.broadcast(r.sockets[state.V09], event{"away", []any{struct {
		Name string `json:"name"`
		Room string `json:"room"`
		Away bool   `json:"away"`
	}{u.Nickname().Name, room, u.Status() == state.Disconnected}}}, nil, nil)
}
