package chat

import (
	"slices"
	"time"
)

// roster is the list of a room's names, as it is sent when somebody comes or goes. On a quiet system that is at once.
// The list's length times its receivers grows with the square of the users, so in a large room it is sent no more often than rosterBytesPerSecond
// allows: announcements tell what has changed meanwhile.
type roster struct {
	next time.Time // not before
	due  bool      // it is on the agenda
}

const rosterBytesPerSecond = 64 << 20

type rosterMeta struct {
	Room  string   `json:"room"`
	Users int      `json:"users"`
	Away  []string `json:"away,omitempty"`
}

// changeRoster notes that a room's names have changed. sendRosters follows.
func (c *Chat) changeRoster(room string) {
	if !slices.Contains(c.changed, room) {
		c.changed = append(c.changed, room)
	}
}

// sendRosters sends the names of the rooms where they have changed, now or soon.
func (c *Chat) sendRosters() {
	now := time.Now()
	for _, room := range c.changed {
		h := c.halls[room]
		switch {
		case h == nil || h.roster.due:
		case h.roster.next.After(now):
			h.roster.due = true
			c.schedule(task{at: h.roster.next, kind: sendRoster, room: room})
		default:
			c.sendRoster(room, now)
		}
	}
	c.changed = c.changed[:0]
}

// sendRoster sends a room's names to all who listen.
func (c *Chat) sendRoster(room string, now time.Time) {
	h := c.halls[room]
	if h == nil {
		return
	}
	h.roster.due = false
	if h.here[classic] == 0 {
		return
	}
	p := c.prepare(c.rosterEvent(room))
	if p == nil {
		return
	}
	c.broadcast(h.classic[:], nil, p)
	h.roster.next = now.Add(time.Duration(p.Size()) * time.Duration(h.here[classic]) * time.Second / rosterBytesPerSecond)
}

// emitRoster sends a room's names to one client.
func (c *Chat) emitRoster(cl *client, room string) {
	if cl.dialect == classic {
		e := c.rosterEvent(room)
		c.emit(cl, e.name, e.args...)
	}
}

func (c *Chat) rosterEvent(room string) event {
	names := make(map[string]string)
	m := rosterMeta{Room: room}
	if r := c.state.rooms[room]; r != nil {
		m.Users = len(r.members)
		for _, u := range r.members {
			names[u.name.name] = u.name.name
		}
		for _, u := range r.sorted() {
			if u.status == held {
				m.Away = append(m.Away, u.name.name)
			}
		}
	}
	return event{"nicknames", []any{names, m}}
}
