package state

import (
	"cmp"
	"slices"
	"sort"
)

// Line is one item of a room's history.
type Line struct {
	_        struct{} `cbor:",toarray"`
	Log      uint32   // see Position
	Seq      uint64
	Check    uint32
	Kind     LineKind
	Time     int64  // Unix milliseconds, by the clock of the bus
	User     uint64 // 0: of a message recorded when its user was not known any more
	ClientNo uint64 // of a message: the client instance that sent it, among those of the user
	From     string // the user's nickname
	Was      string // of a rename: the nickname before
	Text     string // of a message
	CID      string // of a message: the id that the client gave it
	Instance string // of a message: the instance that the client was connected to

	Author uint64 `cbor:"-"` // see Author; 0: not known. A snapshot has it elsewhere.
}

// LineKind tells Lines apart.
type LineKind uint8

const (
	MessageLine LineKind = iota
	JoinLine
	LeaveLine
	RenameLine
	LineKinds // the number of kinds
)

// Position returns the line's position in the log.
func (l *Line) Position() Position { return Position{Log: l.Log, Seq: l.Seq, Check: l.Check} }

// Forgotten reports whether the line was of a user that has had itself forgotten. Only kind, position and time are
// left.
func (l *Line) Forgotten() bool { return l.From == "" }

// Hidden reports whether nobody needs to see the line any more: it is forgotten, and no message.
func (l *Line) Hidden() bool { return l.Forgotten() && l.Kind != MessageLine }

// Erased returns what is left of the line once its user is forgotten.
func (l *Line) Erased() Line {
	return Line{Log: l.Log, Seq: l.Seq, Check: l.Check, Kind: l.Kind, Time: l.Time}
}

// Size is about the memory that a line takes.
func (l *Line) Size() int {
	return 128 + len(l.From) + len(l.Was) + len(l.Text) + len(l.CID)
}

// IsOwn reports whether the client of u, which may be nil, has no use for the line: it has sent and displayed the
// message itself, or the line is about u.
func (l *Line) IsOwn(u *User) bool {
	return u != nil && l.User == u.id && (l.Kind != MessageLine || l.ClientNo == u.clientNo)
}

// record appends a line to a room and returns it with its number.
func (s *State) record(name string, l Line) Line {
	r := s.rooms[name]
	l.Log, l.Seq, l.Check = s.log.id, s.next(), uint32(s.log.chain>>32^s.log.chain)
	s.log.last = l.Position()
	r.active = l.Seq
	if l.Kind == MessageLine || r.used == 0 {
		r.used = s.log.time
	}
	r.add(l)
	s.charge(r, l.Size())
	if len(r.lines) > s.bounds.RoomLines {
		s.trim(r, len(r.lines)-s.bounds.RoomLines)
	}
	if s.histBytes > s.bounds.HistoryBytes {
		s.trimLargest()
	}
	return l
}

// add appends a line. Once dropped lines have left a quarter as much memory unused as the others take, it moves those
// there, so that a room that is as large as it may be allocates nothing.
func (r *Room) add(l Line) {
	n := len(r.lines)
	full := n == cap(r.lines)
	if full && cap(r.memory)-n > n/4 {
		r.lines = append(r.memory, r.lines...)
		clear(r.memory[n:cap(r.memory)])
		full = false
	}
	r.lines = append(r.lines, l)
	if full {
		r.memory = r.lines[:0]
	}
}

// trim drops a room's n oldest lines.
func (s *State) trim(r *Room, n int) {
	for i := range n {
		s.charge(r, -r.lines[i].Size())
		r.trimmed, r.trimmedAt = r.lines[i].Seq, r.lines[i].Time
		if r.lines[i].Hidden() {
			r.hidden--
		}
		r.lines[i] = Line{}
	}
	r.lines = r.lines[n:]
}

// since returns a room's lines after a number, and false if not all of them are kept.
func (r *Room) since(seq uint64) ([]Line, bool) {
	i := sort.Search(len(r.lines), func(i int) bool { return r.lines[i].Seq > seq })
	return r.lines[i:], r.trimmed <= seq
}

// Last returns the last n lines of a room that come before the number given (0: the last of all) and are not hidden,
// oldest first, and whether older ones are kept. The caller must not modify or keep the slice.
func (r *Room) Last(n int, before uint64) (lines []Line, more bool) {
	end := len(r.lines)
	if before > 0 {
		end = sort.Search(end, func(i int) bool { return r.lines[i].Seq >= before })
	}
	first := max(0, end-n)
	if r.hidden == 0 {
		return r.lines[first:end], first > 0
	}
	for i := end - 1; i >= 0 && !more; i-- {
		switch l := &r.lines[i]; {
		case l.Hidden():
		case len(lines) == n:
			more = true
		default:
			lines = append(lines, *l)
		}
	}
	slices.Reverse(lines)
	return lines, more
}

// First returns the number of the first line that a room has ever had; 0: lines were dropped, and it is not known.
func (r *Room) First() uint64 { return r.first }

// MayBeStored reports whether a store may have lines of a room from before the one with a number, if there is a store.
func (s *State) MayBeStored(r *Room, seq uint64) bool {
	return r.remade || seq > r.first && r.trimmedAt >= s.past.retained
}

// Trimmed returns the number up to which the room's lines may have been dropped.
func (r *Room) Trimmed() uint64 { return r.trimmed }

// Line returns a line by its number, if it is kept.
func (r *Room) Line(seq uint64) (Line, bool) {
	lines, _ := r.since(seq - 1)
	if len(lines) == 0 || lines[0].Seq != seq {
		return Line{}, false
	}
	return lines[0], true
}

// MissedLine is a line that a client has not received, and its room.
type MissedLine struct {
	Room string
	Line Line
}

// MissedBy returns, in order, the lines after a position in the rooms named. It reports false if not all of them are
// kept, or if the position is not one of this log (see Verify). A position ahead of the State has missed nothing.
func (s *State) MissedBy(rooms []string, p Position) ([]MissedLine, bool) {
	if s.Ahead(p) {
		return nil, true
	}
	if !s.Verify(p) {
		return nil, false
	}
	var all []MissedLine
	for _, name := range rooms {
		r := s.rooms[name]
		if r == nil {
			return nil, false
		}
		lines, ok := r.since(p.Seq)
		if !ok {
			return nil, false
		}
		for _, l := range lines {
			if !l.Forgotten() {
				all = append(all, MissedLine{name, l})
			}
		}
	}
	slices.SortFunc(all, func(a, b MissedLine) int { return cmp.Compare(a.Line.Seq, b.Line.Seq) })
	return all, true
}
