package state

import (
	"errors"
	"fmt"
	"slices"
)

// Forget ends the user on the socket, as LeaveChat does, and erases what it has ever said, and its nicknames, from all
// lines. It comes with version HistorySince of the rules.
type Forget struct {
	_      struct{} `cbor:",toarray"`
	Stored bool     // a store may have lines of the user: they are to be erased there as well
}

// ConfirmErased says that the store has nothing left of the users that were forgotten up to a log index.
type ConfirmErased struct {
	_       struct{} `cbor:",toarray"`
	Through uint64
}

// Retain drops the lines of before a time from the history.
type Retain struct {
	_      struct{} `cbor:",toarray"`
	Before int64    // Unix milliseconds; a time that the log has not come to counts as that of the entry
}

func (*Forget) since() uint64        { return HistorySince }
func (*ConfirmErased) since() uint64 { return HistorySince }
func (*Retain) since() uint64        { return HistorySince }

func (*Forget) valid() bool        { return true }
func (*ConfirmErased) valid() bool { return true }
func (c *Retain) valid() bool      { return c.Before > 0 }

// past is what the State knows of what is gone.
type past struct {
	erasures erasures
	retained int64 // Unix milliseconds; lines of before are gone, see Retain
	closed   bool  // a room was given up for another at some time
}

// Erasure is what is known of a user that has had itself forgotten.
type Erasure struct {
	_       struct{} `cbor:",toarray"`
	Token   Hash     // which is void from then on
	Through uint64   // number of the last line that may be the user's
	Index   uint64   // log index of the Forget command
	Time    int64    // of the log
	Pending bool     // the store may have lines of the user
}

// erasures are kept for erasureMillis at least, and until the store has nothing left of the user. Until then the token
// is known as void: an acknowledged message that comes again by an instance which had lost the log is not recorded.
type erasures struct {
	all     []Erasure // in the order of the log
	byToken map[Hash]bool
	through map[uint64]uint64 // by author
}

const (
	erasureMillis = MaxHoldMillis
	maxErasures   = 1 << 16
)

func newErasures() erasures {
	return erasures{byToken: make(map[Hash]bool), through: make(map[uint64]uint64)}
}

func (e *erasures) add(of Erasure) {
	e.all = append(e.all, of)
	e.byToken[of.Token] = true
	author := Author(of.Token)
	e.through[author] = max(e.through[author], of.Through)
}

// drop forgets the oldest n.
func (e *erasures) drop(n int) {
	for _, of := range e.all[:n] {
		delete(e.byToken, of.Token)
		delete(e.through, Author(of.Token))
	}
	e.all = slices.Delete(e.all, 0, n)
}

// IsForgotten reports whether the user with a token has had itself forgotten. The token is void.
func (s *State) IsForgotten(token Hash) bool { return s.past.erasures.byToken[token] }

// IsErased reports whether the line with a number was an author's who has had itself forgotten since.
func (s *State) IsErased(author, seq uint64) bool { return seq <= s.past.erasures.through[author] }

// Unerased returns the users of whom the store may have lines, in the order in which they were forgotten. They belong
// to the caller.
func (s *State) Unerased() []Erasure {
	var pending []Erasure
	for _, e := range s.past.erasures.all {
		if e.Pending {
			pending = append(pending, e)
		}
	}
	return pending
}

// guessPast fills in what a State of older rules does not have, from what it has.
func (s *State) guessPast() {
	s.past = past{erasures: newErasures()}
	authors := make(map[uint64]uint64) // by user
	for id, u := range s.users {
		authors[id] = Author(u.token)
	}
	for _, u := range s.expired {
		authors[u.id] = Author(u.token)
	}
	for _, r := range s.rooms {
		r.first, r.remade, r.trimmedAt, r.hidden = 0, false, s.log.time, 0
		if r.beginsHere() {
			r.first = r.lines[0].Seq
		}
		for i := range r.lines {
			r.lines[i].Author = authors[r.lines[i].User]
		}
	}
}

// restorePast is the last step of restore.
func (s *State) restorePast(saved *pastSnapshot) error {
	if len(saved.Pasts) != len(saved.Rooms) || len(saved.Erasures) > maxErasures || saved.Retained > saved.Time {
		return errors.New("past is out of range")
	}
	for i := range saved.Rooms {
		r, of := s.rooms[saved.Rooms[i].Name], &saved.Pasts[i]
		if len(of.Authors) != len(r.lines) || of.First > s.seq+1 {
			return fmt.Errorf("past of room %q is invalid", r.name)
		}
		r.first, r.remade, r.trimmedAt = of.First, of.Remade, of.TrimmedAt
		for j := range r.lines {
			r.lines[j].Author = of.Authors[j]
			if r.lines[j].Hidden() {
				r.hidden++
			}
		}
	}
	for _, of := range saved.Erasures {
		if s.past.erasures.byToken[of.Token] || of.Through > s.seq {
			return errors.New("user is forgotten twice, or later than now")
		}
		s.past.erasures.add(of)
	}
	s.past.retained, s.past.closed = saved.Retained, saved.Closed
	return nil
}

// Retained returns the time in Unix milliseconds of before which all lines are dropped; 0: none are for their age.
func (s *State) Retained() int64 { return s.past.retained }

// forgetErasures forgets erasures that nothing depends on any more.
func (s *State) forgetErasures() {
	n := 0
	for _, e := range s.past.erasures.all {
		if e.Pending || e.Time+erasureMillis >= s.log.time {
			break
		}
		n++
	}
	s.past.erasures.drop(n)
}

func (c *Forget) apply(s *State, from origin) Outcome {
	u := s.UserOn(from.conn)
	if u == nil {
		return Outcome{Code: NoName}
	}
	if len(s.past.erasures.all) >= maxErasures {
		if s.past.erasures.all[0].Pending {
			return Outcome{Code: Overloaded}
		}
		s.past.erasures.drop(1)
	}
	s.end(u, from.time)
	s.past.erasures.add(Erasure{Token: u.token, Through: s.seq, Index: from.index, Time: s.log.time, Pending: c.Stored})
	s.eraseLines(u)
	s.forget(u)
	return Outcome{User: u}
}

// eraseLines leaves nothing of a user's lines but their positions, kinds and times.
func (s *State) eraseLines(u *User) {
	author := Author(u.token)
	for _, r := range s.sortedRooms() {
		var erased []Position
		for i := range r.lines {
			l := &r.lines[i]
			if l.Author != author {
				continue
			}
			was := l.Size()
			*l = l.Erased()
			s.charge(r, l.Size()-was)
			if l.Hidden() {
				r.hidden++
			}
			erased = append(erased, l.Position())
		}
		if erased != nil {
			s.change(Change{Kind: Erased, User: u, Room: r.name, Erased: erased})
		}
	}
}

func (c *ConfirmErased) apply(s *State, _ origin) Outcome {
	for i := range s.past.erasures.all {
		if e := &s.past.erasures.all[i]; e.Index <= c.Through {
			e.Pending = false
		}
	}
	return Outcome{}
}

func (c *Retain) apply(s *State, _ origin) Outcome {
	s.past.retained = max(s.past.retained, min(c.Before, s.log.time))
	for _, r := range s.rooms {
		n := slices.IndexFunc(r.lines, func(l Line) bool { return l.Time >= s.past.retained })
		if n < 0 {
			n = len(r.lines)
		}
		s.trim(r, n)
	}
	return Outcome{}
}
