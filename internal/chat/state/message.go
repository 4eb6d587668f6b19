package state

import (
	"crypto/sha256"
	"slices"
)

// apply records a message, unless it was said before.
func (c *Say) apply(s *State, from origin) Outcome {
	if from.again {
		return c.applyAgain(s, from)
	}
	u := s.byConn[from.conn]
	if u == nil || u.status == Expired {
		return Outcome{Code: NoName}
	}
	if !slices.Contains(u.rooms, c.Room) {
		return Outcome{Code: NotInRoom}
	}
	return c.record(s, from, u, u.token, u.name.Name)
}

// applyAgain records a message that was acknowledged as part of another log. It stays in the history, although its user
// may have lost the nickname meanwhile, have left the room, or not be known at all.
func (c *Say) applyAgain(s *State, from origin) Outcome {
	u := s.byToken[c.Token]
	if u == nil {
		u = &User{name: Nickname{Name: c.From}, token: c.Token, status: Expired}
	}
	switch {
	case c.From == "", s.IsForgotten(c.Token):
		return Outcome{Code: NoName}
	case !s.makeRoom(u, c.Room, from.time):
		return Outcome{Code: Overloaded}
	}
	return c.record(s, from, u, c.Token, c.From)
}

// record records the message of a user, under the name given, unless the user has said it before.
func (c *Say) record(s *State, from origin, u *User, token Hash, name string) Outcome {
	var key Hash
	if c.CID != "" {
		key = messageKey(token, c.CID)
		if m := s.said.byKey[key]; m != nil {
			return Outcome{User: u, At: m.at, Duplicate: true}
		}
	}
	l := Line{Kind: MessageLine, Time: from.time, User: u.id, From: name, Text: c.Text, CID: c.CID,
		Instance: from.conn.Instance, Author: Author(token)}
	for _, b := range u.conns {
		if b.ConnID == from.conn {
			l.ClientNo = b.clientNo
		}
	}
	l = s.record(c.Room, l)
	if c.CID != "" {
		s.remember(token, key, l.Position())
	}
	s.change(Change{Kind: Said, User: u, Room: c.Room, Line: l})
	return Outcome{User: u, At: l.Position()}
}

// HashOf returns what stands for a secret in the log.
func HashOf(secret string) Hash {
	sum := sha256.Sum256([]byte(secret))
	return Hash(sum[:len(Hash{})])
}
