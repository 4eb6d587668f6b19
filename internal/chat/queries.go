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
func (rs *rosters) onRooms(r *request) {
	var options struct {
		After string `json:"after"`
	}
	if !rs.optionsArgument(r, 0, &options) {
		return
	}
	rs.mu.Lock()
	defer rs.unlock()
	if !rs.local.allowLocked(r, rs.local.takeRequest) {
		return
	}
	reply := struct {
		OK    bool       `json:"ok"`
		Rooms []roomInfo `json:"rooms"`
		Mine  []string   `json:"mine"`
		More  bool       `json:"more,omitempty"`
	}{OK: true, Rooms: []roomInfo{}, Mine: append([]string{}, r.client.rooms...)}
	for room := range rs.state.Rooms() {
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
	rs.out.reply(r.ack, reply)
}

type userInfo struct {
	Name string `json:"name"`
	Away bool   `json:"away,omitempty"`
}

// onWho lists the members of a room, by name and as many as fit a reply.
func (rs *rosters) onWho(r *request) {
	name, ok := rs.roomArgument(r, state.Lobby)
	if !ok {
		return
	}
	var options struct {
		After string `json:"after"`
	}
	if _, isName := r.String(0); !isName && !rs.optionsArgument(r, 0, &options) {
		return
	}
	rs.mu.Lock()
	defer rs.unlock()
	if !rs.local.allowLocked(r, rs.local.takeRequest) {
		return
	}
	name = rs.state.Meant(name)
	room := rs.state.Room(name)
	if room == nil && name != state.Lobby {
		rs.refuseRequestLocked(r, state.UnknownRoom, 0)
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
	rs.out.reply(r.ack, reply)
}
