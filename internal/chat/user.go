package chat

import (
	"slices"
	"strconv"
)

// status is how a user stands.
type status uint8

const (
	connected status = iota
	held             // his connection was lost; name and rooms are kept
	lapsed           // nobody came back in time: he has no name, but may come back
)

// user is somebody with a name, or who had one until recently.
type user struct {
	id      uint64
	name    nickname
	token   hash
	page    hash   // of the private id of the socket he has or had last; zero: none
	pageGen uint64 // grows when he comes back by another page than before, which knows nothing of what he said
	sid     string
	dialect dialect
	status  status
	orphan  bool   // held, and the instance he was on is gone
	gen     uint64 // number of the change that made him held
	hold    uint64 // milliseconds
	since   int64  // when he lapsed, by the log's time
	rooms   []string
	// sessions he was bound to, the present one last. A message of an older one is still his: it was under way.
	sessions []binding
}

// binding is a session of a user's.
type binding struct {
	session
	pageGen uint64
	born    uint64 // when its socket was connected
}

// maxSessions of a user are known at once.
const maxSessions = 4

// present returns the binding he has, or had last.
func (u *user) present() binding {
	if len(u.sessions) == 0 {
		return binding{}
	}
	return u.sessions[len(u.sessions)-1]
}

// at returns the session he is on, or was last.
func (u *user) at() session { return u.present().session }

// present returns who is connected by this session now.
func (s *state) present(at session) *user {
	if u := s.bySession[at]; u != nil && u.status == connected && u.at() == at {
		return u
	}
	return nil
}

// claim binds a session to a user: whom the token names, or else a new one by the name that is claimed.
func (s *state) claim(from session, c *command, time int64) outcome {
	if u := s.present(from); u != nil && u.token != c.Token {
		return s.rename(from, c, time) // the socket has claimed twice
	}
	u := s.byToken[c.Token]
	if u == nil {
		return s.claimNew(from, c, time)
	}
	wanted := nickname{c.Name, c.Key}
	if wanted.key == "" {
		wanted = u.name
	}
	if holder := s.byKey[wanted.key]; holder != nil && holder != u {
		if c.Key == "" {
			return outcome{code: nameLost}
		}
		return outcome{code: nameTaken}
	}
	if now := u.present(); u.status == connected && now.session != from && c.Born < now.born {
		// The claim was long under way: he is on a socket that was connected later. Messages said meanwhile count.
		s.bindEarlier(u, from, c)
		return outcome{user: u, stale: true}
	}
	s.bind(u, from, c)
	if u.status == lapsed {
		s.revive(u, wanted, c.Limit, time)
	} else {
		wasAway := u.status == held
		u.status, u.orphan = connected, false
		if wasAway {
			s.change(change{kind: back, user: u})
		}
		s.setName(u, wanted, time)
	}
	return outcome{user: u}
}

// claimNew makes a user, if the name is free.
func (s *state) claimNew(from session, c *command, time int64) outcome {
	name := nickname{c.Name, c.Key}
	switch {
	case name.key == "" || name.name == "":
		return outcome{code: nameLost}
	case len(s.users) >= s.bounds.Users:
		return outcome{code: overloaded}
	case s.byKey[name.key] == nil:
	case c.Variant:
		name = s.variant(name)
	default:
		return outcome{code: nameTaken}
	}
	u := &user{id: s.next(), name: name, token: c.Token, rooms: c.Rooms, status: lapsed}
	s.byToken[u.token] = u
	s.bind(u, from, c)
	s.revive(u, name, c.Limit, time)
	return outcome{user: u}
}

// variant returns the first free name made of one that is not.
func (s *state) variant(name nickname) nickname {
	for n := 2; ; n++ {
		suffix := " " + strconv.Itoa(n)
		if s.byKey[name.key+suffix] == nil {
			return nickname{name.name + suffix, name.key + suffix}
		}
	}
}

// bind makes from the user's session.
func (s *state) bind(u *user, from session, c *command) {
	if other := s.bySession[from]; other != nil && other != u {
		s.unbind(other, from)
	}
	var old session
	if u.status == connected {
		old = u.at()
	}
	if u.pageGen == 0 || u.page != c.Page || c.Page == (hash{}) {
		s.forgetPage(u)
		u.page, u.pageGen = c.Page, s.next()
		if c.Page != (hash{}) {
			if other := s.byPage[c.Page]; other != nil {
				s.forgetPage(other)
			}
			s.byPage[c.Page] = u
		}
	}
	u.sid, u.dialect, u.hold = c.SID, c.Dialect, c.Hold
	s.unbind(u, from)
	if len(u.sessions) == maxSessions {
		s.unbind(u, u.sessions[0].session)
	}
	u.sessions = append(u.sessions, binding{from, u.pageGen, c.Born})
	s.bySession[from] = u
	s.change(change{kind: bound, user: u, old: old})
}

// bindEarlier makes from a session that the user has had before the present one.
func (s *state) bindEarlier(u *user, from session, c *command) {
	if other := s.bySession[from]; other != nil {
		s.unbind(other, from)
	}
	if len(u.sessions) == maxSessions {
		s.unbind(u, u.sessions[0].session)
	}
	b := binding{from, s.next(), c.Born}
	if c.Page == u.page {
		b.pageGen = u.pageGen
	}
	u.sessions = slices.Insert(u.sessions, 0, b)
	s.bySession[from] = u
}

func (s *state) unbind(u *user, from session) {
	u.sessions = slices.DeleteFunc(u.sessions, func(b binding) bool { return b.session == from })
	if s.bySession[from] == u {
		delete(s.bySession, from)
	}
}

func (s *state) forgetPage(u *user) {
	if u.page != (hash{}) && s.byPage[u.page] == u {
		delete(s.byPage, u.page)
	}
	u.page = hash{}
}

// revive makes a user of who lapsed or is new: he is announced in his rooms.
func (s *state) revive(u *user, name nickname, limit uint64, time int64) {
	s.lapsed = slices.DeleteFunc(s.lapsed, func(l *user) bool { return l == u })
	u.status, u.orphan, u.name = connected, false, name
	s.users[u.id] = u
	s.byKey[name.key] = u
	rooms := u.rooms
	u.rooms = nil
	s.enter(u, lobby, time)
	for _, name := range rooms {
		if uint64(len(u.rooms)) < limit && !slices.Contains(u.rooms, name) {
			s.enter(u, name, time)
		}
	}
}

// rename gives who is on the session another name.
func (s *state) rename(from session, c *command, time int64) outcome {
	u := s.present(from)
	if u == nil || c.Key == "" {
		return outcome{code: noName}
	}
	if holder := s.byKey[c.Key]; holder != nil && holder != u {
		return outcome{code: nameTaken}
	}
	s.setName(u, nickname{c.Name, c.Key}, time)
	return outcome{user: u}
}

// setName gives a user a name that is free or his own.
func (s *state) setName(u *user, name nickname, time int64) {
	was := u.name
	if was == name {
		return
	}
	delete(s.byKey, was.key)
	u.name = name
	s.byKey[name.key] = u
	for _, room := range u.rooms {
		l := s.record(room, line{Kind: renameLine, Time: time, User: u.id, From: name.name, Was: was.name})
		s.change(change{kind: renamed, user: u, room: room, line: l})
	}
}

// leaveChat ends who is on the session: on purpose, and so for good.
func (s *state) leaveChat(from session, time int64) outcome {
	u := s.present(from)
	if u == nil {
		return outcome{code: noName}
	}
	s.end(u, time)
	s.forget(u)
	return outcome{user: u}
}

// drop holds a user whose connection was lost.
func (s *state) drop(from session, hold uint64, time int64) outcome {
	u := s.present(from)
	if u == nil {
		return outcome{code: noName}
	}
	u.status, u.hold, u.gen = held, hold, s.next()
	if hold == 0 {
		s.lapse(u, time)
	} else {
		s.change(change{kind: away, user: u})
	}
	return outcome{user: u}
}

// expire lapses those who are still held since the change named.
func (s *state) expire(stamps []stamp, time int64) {
	for _, stamp := range stamps {
		if u := s.users[stamp.User]; u != nil && u.status == held && u.gen == stamp.Gen {
			s.lapse(u, time)
		}
	}
}

// lapse takes a user's name, but not his way back.
func (s *state) lapse(u *user, time int64) {
	rooms := slices.Clone(u.rooms)
	s.end(u, time)
	u.status, u.rooms, u.since = lapsed, rooms, s.time
	s.lapsed = append(s.lapsed, u)
	s.forgetLapsed()
}

// end takes a user out of his rooms and frees his name.
func (s *state) end(u *user, time int64) {
	for len(u.rooms) > 0 {
		s.exit(u, u.rooms[0], time)
	}
	delete(s.users, u.id)
	delete(s.byKey, u.name.key)
	s.change(change{kind: freed, user: u})
}

// forgetLapsed forgets who can't come back any more.
func (s *state) forgetLapsed() {
	for len(s.lapsed) > 0 &&
		(len(s.lapsed) > s.bounds.Lapsed || s.lapsed[0].since+s.bounds.Recovery.Milliseconds() < s.time) {
		s.forget(s.lapsed[0])
		s.lapsed[0] = nil
		s.lapsed = s.lapsed[1:]
	}
}

func (s *state) forget(u *user) {
	delete(s.byToken, u.token)
	s.forgetPage(u)
	for len(u.sessions) > 0 {
		s.unbind(u, u.sessions[0].session)
	}
}
