package state

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Room has members, who are connected or disconnected users, and lines, which outlast them.
type Room struct {
	name    string
	key     string // by which names that look alike are one; "": nobody has entered the room by rules 2 yet
	members map[uint64]*User
	lines   []Line // oldest first
	memory  []Line // no lines, with the capacity of which lines has the end; nil: not known
	trimmed uint64 // number of the last line dropped from the front, or the State's when the room was created
	active  uint64 // number of the last event here
	used    int64  // when somebody last said something here, or it was made, by the log's time
	maker   Hash   // the origin of the user that made it; zero: the lobby
	bytes   int    // of its lines

	first     uint64 // number of its first line; 0: not known
	remade    bool   // there may have been a room of this name before, whose lines a store may have
	trimmedAt int64  // time of the last line dropped
	hidden    int    // how many of its lines are Hidden
}

// Name returns the folded name of the room.
func (r *Room) Name() string { return r.name }

// beginsHere reports whether the first line kept is, as far as it shows, the first that the room ever had: the maker's
// own joining, recorded directly after the room was made. A line of that kind that directly follows dropped ones counts
// as the room's first.
func (r *Room) beginsHere() bool {
	return len(r.lines) > 0 && r.lines[0].Kind == JoinLine && r.lines[0].Seq == r.trimmed+1
}

// NumMembers returns the number of members.
func (r *Room) NumMembers() int { return len(r.members) }

// Members returns the members in no order.
func (r *Room) Members() iter.Seq[*User] { return maps.Values(r.members) }

// SortedMembers returns the members by nickname.
func (r *Room) SortedMembers() []*User {
	return slices.SortedFunc(r.Members(), func(a, b *User) int { return cmp.Compare(a.name.Name, b.name.Name) })
}

// enter makes a user a member of a room, which it creates if need be. It reports false if there are too many rooms.
func (s *State) enter(u *User, name string, time int64) bool {
	if len(u.rooms) >= maxList || !s.makeRoom(u, name, time) {
		return false
	}
	r := s.rooms[name]
	r.members[u.id] = u
	u.rooms = append(u.rooms, name)
	l := s.record(name, Line{Kind: JoinLine, Time: time, User: u.id, From: u.name.Name,
		Author: Author(u.token)})
	s.change(Change{Kind: Joined, User: u, Room: name, Line: l})
	return true
}

// exit removes a user from a room that it is a member of.
func (s *State) exit(u *User, name string, time int64) {
	delete(s.rooms[name].members, u.id)
	u.rooms = slices.DeleteFunc(u.rooms, func(r string) bool { return r == name })
	l := s.record(name, Line{Kind: LeaveLine, Time: time, User: u.id, From: u.name.Name,
		Author: Author(u.token)})
	s.change(Change{Kind: Left, User: u, Room: name, Line: l})
}

func (c *Join) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	switch {
	case u == nil:
		return Outcome{Code: NoName}
	case slices.Contains(u.rooms, c.Room):
		return Outcome{User: u, Room: c.Room}
	case uint64(len(u.rooms)) >= c.RoomLimit || c.Room == "":
		return Outcome{Code: TooManyRooms}
	case !s.enter(u, c.Room, from.time):
		return Outcome{Code: Overloaded}
	}
	return Outcome{User: u, Room: c.Room}
}

// apply also gives a room its key that has none: one that is new, that older rules have made, or that a claim has made
// in a log which did not know it. Where another room has that key already, both stay what they are.
func (c *Enter) apply(s *State, from origin) Outcome {
	join := Join{Room: s.meant(c.Room, c.Key), RoomLimit: c.RoomLimit}
	o := join.apply(s, from)
	if o.Code != Accepted {
		return o
	}
	if r := s.rooms[o.Room]; r.name == c.Room && r.key == "" && c.Key != lobbyKey && s.roomByKey[c.Key] == nil {
		r.key = c.Key
		s.roomByKey[c.Key] = r
	}
	return o
}

// apply removes the user from a room other than the lobby, which only LeaveChat does.
func (c *Leave) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	switch {
	case u == nil:
		return Outcome{Code: NoName}
	case c.Room == Lobby || !slices.Contains(u.rooms, c.Room):
		return Outcome{Code: NotInRoom}
	}
	s.exit(u, c.Room, from.time)
	return Outcome{User: u}
}

// apply reports a change and leaves the State as it is.
func (c *Typing) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	if u == nil || !slices.Contains(u.rooms, c.Room) || from.again {
		return Outcome{Code: NoName}
	}
	s.change(Change{Kind: Typed, User: u, Room: c.Room, On: c.On})
	return Outcome{User: u}
}
