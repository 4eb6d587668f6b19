package state

import "slices"

// Status is the relation of a user to its connection.
type Status uint8

const (
	Connected    Status = iota
	Disconnected        // the connection was lost; nickname and rooms are kept
	Expired             // no connection returned in time; the nickname is free, but the user may still return
)

// Protocol is a vocabulary of events.
type Protocol uint8

const (
	V09 Protocol = iota // of the chat example of Socket.IO 0.9, with all that this server adds
	V4                  // of the chat example of Socket.IO 4
)

// Hash stands for a secret: the first half of its SHA-256.
type Hash [16]byte

// User has a nickname, or had one until recently.
type User struct {
	id       uint64
	name     Nickname
	token    Hash
	origin   Hash   // see Claim
	client   Hash   // the client instance that is or was connected last; zero: none
	clientNo uint64 // grows when another client instance returns, which has not seen what the one before has sent
	sid      string
	protocol Protocol
	status   Status
	orphaned bool // disconnected, and its instance has left the cluster

	generation uint64 // the number of the change that disconnected it
	hold       uint64 // milliseconds
	expiredAt  int64  // by the log's time
	rooms      []string

	// conns are the sockets that it was on, the present one last. A message from an earlier one still counts: it was
	// under way.
	conns []binding
}

// binding is a socket of a user.
type binding struct {
	ConnID
	clientNo uint64
	born     uint64 // when the socket was connected
}

// maxConns is how many sockets of a user are known at a time.
const maxConns = 4

// ID returns the number of the user, which stays the same when the user returns.
func (u *User) ID() uint64 { return u.id }

// Nickname returns the user's nickname. The one of an expired user may be another's by now.
func (u *User) Nickname() Nickname { return u.name }

// Token returns the hash of the user's resume token.
func (u *User) Token() Hash { return u.token }

// Origin returns the hash of the subject or address that the user is or was connected from last; zero: unknown.
func (u *User) Origin() Hash { return u.origin }

// SID returns the public Socket.IO id of the socket that the user is or was on last; "" if the log does not have it.
func (u *User) SID() string { return u.sid }

// Protocol returns the vocabulary of the socket that the user is or was on last.
func (u *User) Protocol() Protocol { return u.protocol }

// Status reports whether the user is connected, disconnected or expired.
func (u *User) Status() Status { return u.status }

// Orphaned reports whether the user is disconnected and its instance has left the cluster.
func (u *User) Orphaned() bool { return u.orphaned }

// Stamp identifies the present disconnection of the user, for an Expire command.
func (u *User) Stamp() Stamp { return Stamp{User: u.id, Generation: u.generation} }

// HoldMillis returns how long the user, once disconnected, keeps its nickname.
func (u *User) HoldMillis() uint64 { return u.hold }

// Rooms returns the user's rooms, the lobby included. Those of an expired user are the ones it will return to. The
// caller must not modify or keep the slice.
func (u *User) Rooms() []string { return u.rooms }

// Conn returns the socket that the user is on, or was on last.
func (u *User) Conn() ConnID { return u.binding().ConnID }

// ConnBorn returns when that socket was connected, by the clock of its instance, in Unix milliseconds.
func (u *User) ConnBorn() uint64 { return u.binding().born }

func (u *User) binding() binding {
	if len(u.conns) == 0 {
		return binding{}
	}
	return u.conns[len(u.conns)-1]
}

// setName gives a user a nickname that is free or its own.
func (s *State) setName(u *User, name Nickname, time int64) {
	was := u.name
	if was == name {
		return
	}
	delete(s.byKey, was.Key)
	u.name = name
	s.byKey[name.Key] = u
	for _, room := range u.rooms {
		l := s.record(room, Line{Kind: RenameLine, Time: time, User: u.id, From: name.Name, Was: was.Name,
			Author: Author(u.token)})
		s.change(Change{Kind: Renamed, User: u, Room: room, Line: l})
	}
}

func (c *Rename) apply(s *State, from origin) Outcome {
	return s.rename(from, Nickname{Name: c.Name, Key: c.Key})
}

// rename gives the user on a socket another nickname.
func (s *State) rename(from origin, name Nickname) Outcome {
	u := s.UserOn(from.conn)
	if u == nil || name.Key == "" {
		return Outcome{Code: NoName}
	}
	if holder := s.byKey[name.Key]; holder != nil && holder != u {
		return Outcome{Code: NameTaken}
	}
	s.setName(u, name, from.time)
	return Outcome{User: u}
}

// apply ends the user on the socket for good: it has no way back.
func (c *LeaveChat) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	if u == nil {
		return Outcome{Code: NoName}
	}
	s.end(u, from.time)
	s.forget(u)
	return Outcome{User: u}
}

// apply disconnects the user whose socket was lost.
func (c *Disconnect) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	if u == nil {
		return Outcome{Code: NoName}
	}
	u.status, u.hold, u.generation = Disconnected, c.HoldMillis, s.next()
	if c.HoldMillis == 0 {
		s.expire(u, from.time)
	} else {
		s.change(Change{Kind: Away, User: u})
	}
	return Outcome{User: u}
}

// apply expires the users that are still disconnected since the change named.
func (c *Expire) apply(s *State, from origin) Outcome {
	for _, stamp := range c.Users {
		if u := s.users[stamp.User]; u != nil && u.status == Disconnected && u.generation == stamp.Generation {
			s.expire(u, from.time)
		}
	}
	return Outcome{}
}

// expire frees a user's nickname, but keeps its way back.
func (s *State) expire(u *User, time int64) {
	rooms := slices.Clone(u.rooms)
	s.end(u, time)
	u.status, u.rooms, u.expiredAt = Expired, rooms, s.log.time
	s.expired = append(s.expired, u)
	s.forgetExpired()
}

// end removes a user from its rooms and frees its nickname.
func (s *State) end(u *User, time int64) {
	for len(u.rooms) > 0 {
		s.exit(u, u.rooms[0], time)
	}
	delete(s.users, u.id)
	delete(s.byKey, u.name.Key)
	s.change(Change{Kind: Freed, User: u})
}

// forgetExpired forgets the users that have lost their way back.
func (s *State) forgetExpired() {
	for len(s.expired) > 0 &&
		(len(s.expired) > s.bounds.Expired || s.expired[0].expiredAt+s.bounds.RecoveryMillis < s.log.time) {
		s.forget(s.expired[0])
		s.expired[0] = nil
		s.expired = s.expired[1:]
	}
}

func (s *State) forget(u *User) {
	delete(s.byToken, u.token)
	s.forgetClient(u)
	for len(u.conns) > 0 {
		s.unbind(u, u.conns[0].ConnID)
	}
}
