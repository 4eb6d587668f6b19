package chat

import (
	"maps"
	"slices"
	"time"
)

// Lost connections come in crowds, as when an instance dies, and often for a moment only, as when a page is loaded anew. So
// who is away, or back, is told a little later, once, and not at all if it is over by then.
const (
	presenceDelay = time.Second
	crowd         = 20 // from so many on the rooms' names are sent rather than an event for each
)

// changePresence notes that a user may be away or back.
func (c *Chat) changePresence(u *user) {
	if len(c.stirred) == 0 {
		c.schedule(task{at: time.Now().Add(presenceDelay), kind: showPresence})
	}
	c.stirred[u.id] = struct{}{}
}

// showPresence tells who is away, or back, and was told otherwise.
func (c *Chat) showPresence() {
	var changed []*user
	for _, id := range slices.Sorted(maps.Keys(c.stirred)) {
		_, told := c.shownAway[id]
		if u := c.state.users[id]; u != nil && (u.status == held) != told {
			changed = append(changed, u)
		}
	}
	clear(c.stirred)
	for _, u := range changed {
		if u.status == held {
			c.shownAway[u.id] = struct{}{}
		} else {
			delete(c.shownAway, u.id)
		}
		for _, room := range u.rooms {
			if len(changed) >= crowd {
				c.changeRoster(room)
			} else {
				c.showAway(u, room)
			}
		}
	}
	c.sendRosters()
}

// showAway tells those who listen to a room that a user is away, or back: himself too, for he may have seen himself in the
// list of names.
func (c *Chat) showAway(u *user, room string) {
	h := c.halls[room]
	if h == nil || h.here[classic] == 0 {
		return
	}
	c.broadcast(h.classic[:], c.prepare(event{"away", []any{struct {
		Name string `json:"name"`
		Room string `json:"room"`
		Away bool   `json:"away"`
	}{u.name.name, room, u.status == held}}}))
}
