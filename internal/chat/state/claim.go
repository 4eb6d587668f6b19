package state

import (
	"slices"
	"strconv"
)

// apply binds a socket to a user: the one that the token names, or else a new one.
func (c *Claim) apply(s *State, from origin) Outcome {
	if u := s.UserOn(from.conn); u != nil && u.token != c.Token {
		return s.rename(from, Nickname{Name: c.Name, Key: c.Key}) // the socket has claimed twice
	}
	u := s.byToken[c.Token]
	if s.log.rules >= lateClaimSince && s.isLate(c, u) {
		return Outcome{Code: NameLost}
	}
	if u == nil {
		return s.claimNew(from, c)
	}
	wanted := Nickname{Name: c.Name, Key: c.Key}
	if wanted.Key == "" {
		wanted = u.name
	}
	if holder := s.byKey[wanted.Key]; holder != nil && holder != u {
		if c.Key == "" {
			return Outcome{Code: NameLost}
		}
		if wanted = s.variantFor(u, c); wanted.Key == "" {
			return Outcome{Code: NameTaken}
		}
	}
	if now := u.binding(); u.status == Connected && now.ConnID != from.conn && c.Born < now.born {
		// The claim was long under way: the user is on a socket that was connected later. Messages from this one count.
		s.bindEarlier(u, from.conn, c)
		return Outcome{User: u, Stale: true}
	}
	s.bind(u, from.conn, c)
	if u.status == Expired {
		s.revive(u, wanted, c.RoomLimit, from.time)
	} else {
		wasAway := u.status == Disconnected
		u.status, u.orphaned = Connected, false
		if wasAway {
			s.change(Change{Kind: Back, User: u})
		}
		s.setName(u, wanted, from.time)
	}
	return Outcome{User: u}
}

// apply claims the former user of the client, if there is one, and else does what the claim does.
func (c *Move) apply(s *State, from origin) Outcome {
	claim := c.Claim
	u := s.byClient[c.Former]
	if u != nil && s.byToken[claim.Token] == nil && (!c.OfOrigin || u.origin == claim.Origin) {
		claim.Token = u.token
	}
	return claim.apply(s, from)
}

// isLate reports whether a claim of u was under way while its client became another user, on a socket that was
// connected later: the person has left the chat meanwhile, and come back by a new name. That it has lost this
// connection, too, gives nobody the earlier one back. u is nil if the token is nobody's any more.
func (s *State) isLate(c *Claim, u *User) bool {
	now := s.byClient[c.Client]
	return now != nil && now != u && (now.status == Connected || s.log.rules >= laterUserSince) &&
		c.Born < now.binding().born
}

// claimNew creates a user, if the nickname is free.
func (s *State) claimNew(from origin, c *Claim) Outcome {
	name := Nickname{Name: c.Name, Key: c.Key}
	switch {
	case name.Key == "" || name.Name == "", s.IsForgotten(c.Token):
		return Outcome{Code: NameLost}
	case len(s.users) >= s.bounds.Users:
		return Outcome{Code: Overloaded}
	case s.byKey[name.Key] == nil:
	case c.Variant:
		if name = s.variant(name); name.Key == "" {
			return Outcome{Code: NameTaken}
		}
	default:
		return Outcome{Code: NameTaken}
	}
	u := &User{id: s.next(), name: name, token: c.Token, rooms: c.Rooms, status: Expired}
	s.byToken[u.token] = u
	s.bind(u, from.conn, c)
	s.revive(u, name, c.RoomLimit, from.time)
	return Outcome{User: u}
}

// variantFor returns the nickname that a known user gets which claims one that is taken: the one that it has, or else a
// variant, if it accepts that; the zero Nickname: none.
func (s *State) variantFor(u *User, c *Claim) Nickname {
	switch {
	case !c.Variant || s.log.rules < MoveSince:
		return Nickname{}
	case u.status != Expired:
		return u.name
	}
	return s.variant(Nickname{Name: c.Name, Key: c.Key})
}

// variant returns the first free nickname that is made from one that is taken; the zero Nickname if that is too long.
func (s *State) variant(name Nickname) Nickname {
	for n := 2; ; n++ {
		key := name.Key + " " + variantKey(n)
		if s.byKey[key] != nil {
			continue
		}
		free := Nickname{Name: name.Name + " " + strconv.Itoa(n), Key: key}
		if len(free.Name) > maxKeyBytes || len(free.Key) > maxKeyBytes {
			return Nickname{}
		}
		return free
	}
}

// bind makes conn the socket that the user is on.
func (s *State) bind(u *User, conn ConnID, c *Claim) {
	if other := s.byConn[conn]; other != nil && other != u {
		s.unbind(other, conn)
	}
	var old ConnID
	if u.status == Connected {
		old = u.Conn()
	}
	if u.clientNo == 0 || u.client != c.Client || c.Client == (Hash{}) {
		s.forgetClient(u)
		u.client, u.clientNo = c.Client, s.next()
		if c.Client != (Hash{}) {
			if other := s.byClient[c.Client]; other != nil {
				s.forgetClient(other)
			}
			s.byClient[c.Client] = u
		}
	}
	u.sid, u.protocol, u.hold, u.origin = c.SID, c.Protocol, c.HoldMillis, c.Origin
	s.unbind(u, conn)
	if len(u.conns) == maxConns {
		s.unbind(u, u.conns[0].ConnID)
	}
	u.conns = append(u.conns, binding{conn, u.clientNo, c.Born})
	s.byConn[conn] = u
	s.change(Change{Kind: Bound, User: u, Old: old})
}

// bindEarlier makes conn a socket that the user was on before the present one.
func (s *State) bindEarlier(u *User, conn ConnID, c *Claim) {
	if other := s.byConn[conn]; other != nil {
		s.unbind(other, conn)
	}
	if len(u.conns) == maxConns {
		s.unbind(u, u.conns[0].ConnID)
	}
	b := binding{conn, s.next(), c.Born}
	if c.Client == u.client {
		b.clientNo = u.clientNo
	}
	u.conns = slices.Insert(u.conns, 0, b)
	s.byConn[conn] = u
}

func (s *State) unbind(u *User, conn ConnID) {
	u.conns = slices.DeleteFunc(u.conns, func(b binding) bool { return b.ConnID == conn })
	if s.byConn[conn] == u {
		delete(s.byConn, conn)
	}
}

func (s *State) forgetClient(u *User) {
	if u.client != (Hash{}) && s.byClient[u.client] == u {
		delete(s.byClient, u.client)
	}
	u.client = Hash{}
}

// revive gives a new or expired user a nickname that is free, and lets it enter its rooms.
func (s *State) revive(u *User, name Nickname, limit uint64, time int64) {
	s.expired = slices.DeleteFunc(s.expired, func(e *User) bool { return e == u })
	u.status, u.orphaned, u.name = Connected, false, name
	s.users[u.id] = u
	s.byKey[name.Key] = u
	rooms := u.rooms
	u.rooms = nil
	s.enter(u, Lobby, time)
	for _, name := range rooms {
		if uint64(len(u.rooms)) < limit && !slices.Contains(u.rooms, name) {
			s.enter(u, name, time)
		}
	}
}
