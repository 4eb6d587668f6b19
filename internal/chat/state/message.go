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
	case c.From == "":
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
		if at, ok := s.said.at[key]; ok {
			return Outcome{User: u, At: at, Duplicate: true}
		}
	}
	l := Line{Kind: MessageLine, Time: from.time, User: u.id, From: name, Text: c.Text, CID: c.CID,
		Instance: from.conn.Instance}
	for _, b := range u.conns {
		if b.ConnID == from.conn {
			l.ClientNo = b.clientNo
		}
	}
	l = s.record(c.Room, l)
	if c.CID != "" {
		s.said.add(key, l.Position(), s.bounds.Remembered)
	}
	s.change(Change{Kind: Said, User: u, Room: c.Room, Line: l})
	return Outcome{User: u, At: l.Position()}
}

// HashOf returns what stands for a secret in the log.
func HashOf(secret string) Hash {
	sum := sha256.Sum256([]byte(secret))
	return Hash(sum[:len(Hash{})])
}

// SaidAt returns the position of a message by the token of the user that said it and the id that the client gave it,
// and whether the message is remembered.
func (s *State) SaidAt(token Hash, cid string) (Position, bool) {
	at, ok := s.said.at[messageKey(token, cid)]
	return at, ok
}

// remembered knows the last messages, so that repetitions are noticed.
type remembered struct {
	at    map[Hash]Position // by messageKey
	order []Hash            // oldest first
}

func newRemembered() remembered { return remembered{at: make(map[Hash]Position)} }

// messageKey stands for a message. The secret of the user that says it keeps others from using up its ids.
func messageKey(token Hash, cid string) Hash {
	var b [len(token) + MaxCID]byte
	sum := sha256.Sum256(append(append(b[:0], token[:]...), cid...))
	return Hash(sum[:len(Hash{})])
}

func (m *remembered) add(key Hash, at Position, bound int) {
	m.at[key] = at
	m.order = append(m.order, key)
	for len(m.order) > bound {
		delete(m.at, m.order[0])
		m.order = m.order[1:]
	}
}
