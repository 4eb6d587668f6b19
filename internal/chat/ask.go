package chat

import (
	"cmp"
	"slices"
)

// What clients may ask about is answered from the state, without the log.

// maxPage is how many lines a client is given at once.
const maxPage = 200

type roomInfo struct {
	Name   string `json:"name"`
	Users  int    `json:"users"`
	Joined bool   `json:"joined,omitempty"`
}

// onRooms tells which rooms there are.
func (c *Chat) onRooms(r *request) {
	c.mu.Lock()
	defer c.unlock()
	if !c.allowed(r) {
		return
	}
	answer := struct {
		OK    bool       `json:"ok"`
		Rooms []roomInfo `json:"rooms"`
	}{OK: true, Rooms: []roomInfo{}}
	for name, room := range c.state.rooms {
		if len(room.members) > 0 || name == lobby {
			answer.Rooms = append(answer.Rooms, roomInfo{name, len(room.members), slices.Contains(r.client.rooms, name)})
		}
	}
	slices.SortFunc(answer.Rooms, func(a, b roomInfo) int { return cmp.Compare(a.Name, b.Name) })
	c.check(r.Ack(answer))
}

type userInfo struct {
	Name string `json:"name"`
	Away bool   `json:"away,omitempty"`
}

// onWho tells who is in a room.
func (c *Chat) onWho(r *request) {
	name, ok := c.roomArgument(r, lobby)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowed(r) {
		return
	}
	room := c.state.rooms[name]
	if room == nil && name != lobby {
		c.refuseLocked(r.client, r.event, r.Deferred(), unknownRoom, 0)
		return
	}
	answer := struct {
		OK    bool       `json:"ok"`
		Room  string     `json:"room"`
		Users []userInfo `json:"users"`
	}{OK: true, Room: name, Users: []userInfo{}}
	if room != nil {
		for _, u := range room.sorted() {
			answer.Users = append(answer.Users, userInfo{u.name.name, u.status == held})
		}
	}
	c.check(r.Ack(answer))
}

// sorted returns the members by name.
func (r *room) sorted() []*user {
	members := make([]*user, 0, len(r.members))
	for _, u := range r.members {
		members = append(members, u)
	}
	slices.SortFunc(members, func(a, b *user) int { return cmp.Compare(a.name.key, b.name.key) })
	return members
}

// onHistory gives older lines of a room.
func (c *Chat) onHistory(r *request) {
	name, ok := c.roomArgument(r, lobby)
	if !ok {
		return
	}
	options := struct {
		Before string `json:"before"`
		Limit  int    `json:"limit"`
	}{Limit: c.options.HistoryOnJoin}
	r.options(0, &options)
	var before position
	if options.Before != "" {
		var err error
		if before, err = parsePosition(options.Before); err != nil {
			c.refuse(r, badArgument, 0)
			return
		}
	}
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.allowed(r):
	case !r.client.mayListen(name):
		c.refuseLocked(r.client, r.event, r.Deferred(), notInRoom, 0)
	default:
		answer := struct {
			OK   bool   `json:"ok"`
			Room string `json:"room"`
			lines
		}{OK: true, Room: name}
		room := c.state.rooms[name]
		if room == nil || before.Seq <= c.state.last.Seq && !c.state.verify(before) {
			answer.Messages = []lineView{}
		} else {
			end := c.told().Seq + 1 // what comes behind is told of to everybody
			if before.Seq > 0 {
				end = min(end, before.Seq)
			}
			last, more := room.last(min(max(options.Limit, 1), maxPage), end)
			answer.lines = c.view(name, last, more)
		}
		c.check(r.Ack(answer))
	}
}
