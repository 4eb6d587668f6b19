package chat

import (
	"cmp"
	"slices"

	"chatapp/internal/chat/state"
)

// The events of this file are answered from the state, without the log.

// maxLines is how many lines of history a client receives at once.
const maxLines = 200

type roomInfo struct {
	Name   string `json:"name"`
	Users  int    `json:"users"`
	Joined bool   `json:"joined"`
}

// roomInfoOverhead and userInfoOverhead are what an element takes in a reply besides its name.
const (
	roomInfoOverhead = 48
	userInfoOverhead = 24
)

// onRooms lists the rooms that have members, by name and as many as fit a reply.
func (c *Chat) onRooms(r *request) {
	var options struct {
		After string `json:"after"`
	}
	if !c.optionsArgument(r, 0, &options) {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowLocked(r, c.local.takeRequest) {
		return
	}
	reply := struct {
		OK    bool       `json:"ok"`
		Rooms []roomInfo `json:"rooms"`
		Mine  []string   `json:"mine"`
		More  bool       `json:"more,omitempty"`
	}{OK: true, Rooms: []roomInfo{}, Mine: append([]string{}, r.client.rooms...)}
	for room := range c.state.Rooms() {
		if name, n := room.Name(), room.NumMembers(); name > options.After && (n > 0 || name == state.Lobby) {
			reply.Rooms = append(reply.Rooms, roomInfo{name, n, slices.Contains(r.client.rooms, name)})
		}
	}
	slices.SortFunc(reply.Rooms, func(a, b roomInfo) int { return cmp.Compare(a.Name, b.Name) })
	size := 0
	for i := range reply.Rooms {
		if size += roomInfoOverhead + jsonSize(reply.Rooms[i].Name); size > maxAnswerBytes {
			reply.Rooms, reply.More = reply.Rooms[:i], true
			break
		}
	}
	c.out.reply(r.ack, reply)
}

type userInfo struct {
	Name string `json:"name"`
	Away bool   `json:"away,omitempty"`
}

// onWho lists the members of a room, by name and as many as fit a reply.
func (c *Chat) onWho(r *request) {
	name, ok := c.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	var options struct {
		After string `json:"after"`
	}
	if _, isName := r.String(0); !isName && !c.optionsArgument(r, 0, &options) {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	if !c.allowLocked(r, c.local.takeRequest) {
		return
	}
	name = c.state.Meant(name)
	room := c.state.Room(name)
	if room == nil && name != state.Lobby {
		c.refuseRequestLocked(r, state.UnknownRoom, 0)
		return
	}
	reply := struct {
		OK    bool       `json:"ok"`
		Room  string     `json:"room"`
		Users []userInfo `json:"users"`
		More  bool       `json:"more,omitempty"`
	}{OK: true, Room: name, Users: []userInfo{}}
	if room != nil {
		size := 0
		for _, u := range room.SortedMembers() {
			if u.Nickname().Name <= options.After {
				continue
			}
			if size += userInfoOverhead + jsonSize(u.Nickname().Name); size > maxAnswerBytes {
				reply.More = true
				break
			}
			reply.Users = append(reply.Users, userInfo{u.Nickname().Name, u.Status() == state.Disconnected})
		}
	}
	c.out.reply(r.ack, reply)
}

// onHistory returns older lines of a room.
func (c *Chat) onHistory(r *request) {
	name, ok := c.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	options := struct {
		Before string `json:"before"`
		Limit  int    `json:"limit"`
	}{Limit: c.options.HistoryOnJoin}
	if _, isName := r.String(0); !isName && !c.optionsArgument(r, 0, &options) {
		return
	}
	var before state.Position
	if options.Before != "" {
		var err error
		if before, err = state.ParsePosition(options.Before); err != nil {
			c.refuse(r, state.BadArgument)
			return
		}
	}
	c.mu.Lock()
	defer c.unlock()
	switch name = c.state.Meant(name); {
	case !c.allowLocked(r, c.local.takeRequest):
	case !r.client.mayListen(name):
		c.refuseRequestLocked(r, state.NotInRoom, 0)
	default:
		c.history.answerHistoryLocked(r, name, before, options.Limit)
	}
}

// onStatus replies with the status, or emits it to a client that wants no reply.
func (c *Chat) onStatus(r *request) {
	c.mu.Lock()
	defer c.unlock()
	switch {
	case !c.allowLocked(r, c.local.takeRequest):
	case r.ack.Wanted():
		c.out.reply(r.ack, c.status.infoLocked())
	default:
		c.out.emit(r.client, "status", c.status.infoLocked())
	}
}
