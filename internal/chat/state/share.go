package state

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"maps"
	"slices"
)

// share is what the rooms that one origin has made take of what all rooms share.
type share struct{ rooms, bytes int }

// OriginOf returns the hash that stands for a subject or an address in the log. It depends on the log's secret, because
// there are few enough addresses to find the one of a plain hash.
func (s *State) OriginOf(text string) Hash {
	mac := hmac.New(sha256.New, s.bounds.AddressKey[:])
	mac.Write([]byte(text))
	return Hash(mac.Sum(nil)[:len(Hash{})])
}

// Evictions returns how many rooms were given up for others, and how many lines dropped because the history of all
// rooms was full, since this State was made or decoded.
func (s *State) Evictions() (rooms, lines uint64) { return s.givenUp, s.dropped }

// maker returns the origin that a room which the user makes counts for.
func (u *User) maker() Hash {
	if u.origin != (Hash{}) {
		return u.origin
	}
	return u.token
}

// charge adds to the bytes of a room's lines.
func (s *State) charge(r *Room, bytes int) {
	r.bytes += bytes
	s.histBytes += bytes
	s.addShare(r.maker, share{bytes: bytes})
}

func (s *State) addShare(maker Hash, n share) {
	of := s.shares[maker]
	of.rooms, of.bytes = of.rooms+n.rooms, of.bytes+n.bytes
	if of == (share{}) {
		delete(s.shares, maker)
		return
	}
	s.shares[maker] = of
}

// trimLargest drops old lines until a part of the history's bound is free. Those who take most pay: of the origin whose
// rooms have the most bytes, the room with the most, and again.
func (s *State) trimLargest() {
	const lines = 16     // at a time
	const freePart = 256 // of the bound: so it takes a while until this is needed again
	for s.histBytes > s.bounds.HistoryBytes-s.bounds.HistoryBytes/freePart {
		var largest *Room
		for _, r := range s.rooms {
			if largest == nil || s.paysBefore(r, largest) {
				largest = r
			}
		}
		if largest == nil || len(largest.lines) == 0 {
			return
		}
		n := min(lines, len(largest.lines))
		s.trim(largest, n)
		s.dropped += uint64(n)
	}
}

// paysBefore reports whether a room's lines are dropped rather than those of another.
func (s *State) paysBefore(r, than *Room) bool {
	return cmp.Or(
		cmp.Compare(s.shares[than.maker].bytes, s.shares[r.maker].bytes),
		cmp.Compare(than.bytes, r.bytes),
		cmp.Compare(r.name, than.name)) < 0
}

// makeRoom creates a room for a user unless it exists. At Bounds.Rooms another room is given up for it, see
// leastNeeded; if none can be, makeRoom reports false. The lobby is exempt from the bound.
func (s *State) makeRoom(u *User, name string, time int64) bool {
	if s.rooms[name] != nil {
		return true
	}
	maker := u.maker()
	if name == Lobby {
		maker = Hash{}
	} else if len(s.rooms) >= s.bounds.Rooms {
		r := s.leastNeeded(maker)
		if r == nil {
			return false
		}
		s.giveUp(r, time)
	}
	// There may have been a room of this name before: a user that returns to it has missed everything up to now.
	s.addRoom(&Room{name: name, members: make(map[uint64]*User), trimmed: s.seq, active: s.seq, used: s.log.time,
		maker: maker, first: s.seq + 1, remade: s.past.closed})
	return true
}

func (s *State) addRoom(r *Room) {
	s.rooms[r.name] = r
	if r.key != "" {
		s.roomByKey[r.key] = r
	}
	s.addShare(r.maker, share{rooms: 1})
}

// leastNeeded returns the room to give up for one that an origin wants to make, or nil. Where another origin has more
// rooms than that one would have, the one with the most gives up a room, be it in use or not. Otherwise a room is given
// up only if it is empty or idle. Empty ones go before others, and the one where something happened last stays longest.
func (s *State) leastNeeded(maker Hash) *Room {
	most := 0
	for _, of := range s.shares {
		most = max(most, of.rooms)
	}
	inUseToo := most > s.shares[maker].rooms+1
	var least *Room
	for _, r := range s.rooms {
		rooms := s.shares[r.maker].rooms
		idle := len(r.members) == 0 || s.log.time-r.used > s.bounds.IdleMillis
		if r.name == Lobby || inUseToo && rooms < most || !inUseToo && !idle {
			continue
		}
		if least == nil || s.goesBefore(r, least) {
			least = r
		}
	}
	return least
}

func (s *State) goesBefore(r, than *Room) bool {
	return cmp.Or(
		cmp.Compare(s.shares[than.maker].rooms, s.shares[r.maker].rooms),
		cmp.Compare(min(len(r.members), 1), min(len(than.members), 1)),
		cmp.Compare(r.active, than.active),
		cmp.Compare(r.name, than.name)) < 0
}

// giveUp removes a room, its lines and its members.
func (s *State) giveUp(r *Room, time int64) {
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		s.exit(r.members[id], r.name, time)
		s.changes[len(s.changes)-1].Lost = true
	}
	s.trim(r, len(r.lines))
	s.addShare(r.maker, share{rooms: -1})
	delete(s.rooms, r.name)
	if r.key != "" {
		delete(s.roomByKey, r.key)
	}
	s.givenUp++
	s.past.closed = true
}
