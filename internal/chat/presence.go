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

// presence sends clients which users are away. Chat.mu guards it.
type presence struct {
	*core
	local   *localClients
	lines   *lines
	rosters *rosters

	changed map[uint64]struct{} // users that may be away or back since clients were sent it
}

// resetLocked takes the users that are away as sent.
func (p *presence) resetLocked() {
	clear(p.rosters.away)
	for u := range p.state.Users() {
		if u.Status() == state.Disconnected {
			p.rosters.away[u.ID()] = struct{}{}
		}
	}
}

// updateLocked returns the users that are away, or back, and were sent otherwise, in the order of their ids.
func (p *presence) updateLocked() (changed []*state.User) {
	for _, id := range slices.Sorted(maps.Keys(p.changed)) {
		_, sent := p.rosters.away[id]
		u := p.state.User(id)
		if u == nil || (u.Status() == state.Disconnected) == sent {
			continue
		}
		changed = append(changed, u)
		if sent {
			delete(p.rosters.away, id)
		} else {
			p.rosters.away[id] = struct{}{}
		}
	}
	clear(p.changed)
	return changed
}

// changeLocked notes that a user may be away or back.
func (p *presence) changeLocked(u *state.User) {
	if len(p.changed) == 0 {
		p.timers.Add(time.Now().Add(presenceDelay), p.sendLocked)
	}
	p.changed[u.ID()] = struct{}{}
}

// sendLocked sends which users are away, or back.
func (p *presence) sendLocked(time.Time) {
	p.lines.flushLocked()
	changed := p.updateLocked()
	for _, u := range changed {
		for _, room := range u.Rooms() {
			if len(changed) >= maxAwayEvents {
				p.rosters.changeLocked(room)
			} else {
				p.broadcastLocked(u, room)
			}
		}
	}
	p.rosters.sendLocked()
}

// broadcastLocked sends to the listeners of a room that a user is away, or back. It includes the client of the
// user, whose roster may have listed the user as away.
func (p *presence) broadcastLocked(u *state.User, room string) {
	r := p.local.rooms[room]
	if r == nil || r.listeners[state.V09] == 0 {
		return
	}
	p.out.broadcast(r.sockets[state.V09], event{"away", []any{struct {
		Name string `json:"name"`
		Room string `json:"room"`
		Away bool   `json:"away"`
	}{u.Nickname().Name, room, u.Status() == state.Disconnected}}}, nil, nil)
}
