package chat

import "slices"

// room is a place to talk in. Its members are users, connected or held; its lines outlast them.
type room struct {
	name    string
	members map[uint64]*user
	lines   []line // oldest first
	trimmed uint64 // number of the last line dropped from the front, or of what was when the room was made
	active  uint64 // number of the last thing that happened here
}

// enter puts a user into a room, which is made if need be, and says so; false: there are too many rooms.
func (s *state) enter(u *user, name string, time int64) bool {
	if !s.makeRoom(name) {
		return false
	}
	r := s.rooms[name]
	r.members[u.id] = u
	u.rooms = append(u.rooms, name)
	l := s.record(name, line{Kind: joinLine, Time: time, User: u.id, From: u.name.name})
	s.change(change{kind: joined, user: u, room: name, line: l})
	return true
}

// exit takes a user out of a room he is in and says so.
func (s *state) exit(u *user, name string, time int64) {
	delete(s.rooms[name].members, u.id)
	u.rooms = slices.DeleteFunc(u.rooms, func(r string) bool { return r == name })
	l := s.record(name, line{Kind: leaveLine, Time: time, User: u.id, From: u.name.name})
	s.change(change{kind: left, user: u, room: name, line: l})
}

// makeRoom sees to it that a room exists. When there are too many, the one that nobody is in and that was left the
// longest ago makes place. The lobby always has one.
func (s *state) makeRoom(name string) bool {
	if s.rooms[name] != nil {
		return true
	}
	if len(s.rooms) >= s.bounds.Rooms && name != lobby {
		var oldest *room
		for _, r := range s.rooms {
			if len(r.members) == 0 && r.name != lobby && (oldest == nil || r.active < oldest.active) {
				oldest = r
			}
		}
		if oldest == nil {
			return false
		}
		for _, l := range oldest.lines {
			s.bytes -= l.size()
		}
		delete(s.rooms, oldest.name)
	}
	// A room of this name may have been before: who comes back to it has missed everything up to now.
	s.rooms[name] = &room{name: name, members: make(map[uint64]*user), trimmed: s.seq, active: s.seq}
	return true
}

// joinRoom puts who is on the session into a room.
func (s *state) joinRoom(from session, c *command, time int64) outcome {
	u := s.present(from)
	switch {
	case u == nil:
		return outcome{code: noName}
	case slices.Contains(u.rooms, c.Room):
		return outcome{user: u}
	case uint64(len(u.rooms)) >= c.Limit || c.Room == "":
		return outcome{code: tooManyRooms}
	case !s.enter(u, c.Room, time):
		return outcome{code: overloaded}
	}
	return outcome{user: u}
}

// leaveRoom takes who is on the session out of a room. The lobby is left by leaving the chat.
func (s *state) leaveRoom(from session, name string, time int64) outcome {
	u := s.present(from)
	switch {
	case u == nil:
		return outcome{code: noName}
	case name == lobby || !slices.Contains(u.rooms, name):
		return outcome{code: notInRoom}
	}
	s.exit(u, name, time)
	return outcome{user: u}
}

// typing tells the others that who is on the session types, or no longer does.
func (s *state) typing(from session, c *command) outcome {
	u := s.present(from)
	if u == nil || !slices.Contains(u.rooms, c.Room) {
		return outcome{code: noName}
	}
	s.change(change{kind: typed, user: u, room: c.Room, on: c.On})
	return outcome{user: u}
}
