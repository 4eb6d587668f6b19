package chat

import (
	"crypto/sha256"
	"slices"
	"sort"
)

// line is one thing that happened in a room, as it is kept and shown.
type line struct {
	_        struct{} `cbor:",toarray"`
	Seq      uint64
	Check    uint32 // see position
	Kind     lineKind
	Time     int64 // Unix milliseconds, by the clock of the instance that appended the entry
	User     uint64
	PageGen  uint64 // of a message: the page that sent it, which does not have to be told
	From     string // the user's name
	Was      string // of a rename: the name before
	Text     string // of a message
	CID      string // of a message: its id at the client
	Instance string // of a message: where it was said
}

type lineKind uint8

const (
	messageLine lineKind = iota
	joinLine
	leaveLine
	renameLine
	lineKinds
)

// size is about what a line takes in memory.
func (l *line) size() int {
	return 128 + len(l.From) + len(l.Was) + len(l.Text) + len(l.CID)
}

// ownedBy reports that a page of the user's has no use for the line: it has shown the message itself, or it is
// about the user himself.
func (l *line) ownedBy(u *user) bool {
	return u != nil && l.User == u.id && (l.Kind != messageLine || l.PageGen == u.pageGen)
}

// record appends a line to a room and returns it with its number.
func (s *state) record(name string, l line) line {
	r := s.rooms[name]
	l.Seq, l.Check = s.next(), uint32(s.chain>>32^s.chain)
	s.last = l.position()
	r.active = l.Seq
	r.lines = append(r.lines, l)
	s.bytes += l.size()
	if len(r.lines) > s.bounds.RoomLines {
		s.trim(r, len(r.lines)-s.bounds.RoomLines)
	}
	for s.bytes > s.bounds.HistoryBytes && s.trimOldest() {
	}
	return l
}

// trim drops a room's n oldest lines.
func (s *state) trim(r *room, n int) {
	for i := range n {
		s.bytes -= r.lines[i].size()
		r.trimmed = r.lines[i].Seq
		r.lines[i] = line{}
	}
	r.lines = r.lines[n:]
}

// trimOldest drops the oldest lines, some at once, of the room that has the oldest; false: there are none.
func (s *state) trimOldest() bool {
	const some = 16
	var oldest *room
	for _, r := range s.rooms {
		if len(r.lines) > 0 && (oldest == nil || r.lines[0].Seq < oldest.lines[0].Seq) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	s.trim(oldest, min(some, len(oldest.lines)))
	return true
}

// since returns a room's lines after a number; false: not all of them are kept.
func (r *room) since(seq uint64) ([]line, bool) {
	i := sort.Search(len(r.lines), func(i int) bool { return r.lines[i].Seq > seq })
	return r.lines[i:], r.trimmed <= seq
}

// last returns up to n lines of a room, the last ones before a number (0: the last of all), and whether older are kept.
func (r *room) last(n int, before uint64) (lines []line, more bool) {
	end := len(r.lines)
	if before > 0 {
		end = sort.Search(end, func(i int) bool { return r.lines[i].Seq >= before })
	}
	first := max(0, end-n)
	return r.lines[first:end], first > 0
}

// missed is a line that a client has not got, and where.
type missed struct {
	room string
	line line
}

// missedBy returns, in order, what happened after a position in the rooms named; false: not all of it is kept, or
// the position is none of this log. From a position that is still ahead nothing was missed.
func (s *state) missedBy(rooms []string, p position) ([]missed, bool) {
	if p.Seq > s.last.Seq {
		return nil, true
	}
	if !s.verify(p) {
		return nil, false
	}
	var all []missed
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
			all = append(all, missed{name, l})
		}
	}
	slices.SortFunc(all, func(a, b missed) int {
		if a.line.Seq < b.line.Seq {
			return -1
		}
		return 1
	})
	return all, true
}

// say records a message, unless it was said before.
func (s *state) say(from session, c *command, time int64) outcome {
	u := s.bySession[from]
	if u == nil || u.status == lapsed {
		return outcome{code: noName}
	}
	if !slices.Contains(u.rooms, c.Room) {
		return outcome{code: notInRoom}
	}
	var once hash
	if c.CID != "" {
		once = onceOf(u.token, c.CID)
		if at, ok := s.said.at[once]; ok {
			return outcome{user: u, at: at, duplicate: true}
		}
	}
	i := slices.IndexFunc(u.sessions, func(b binding) bool { return b.session == from })
	l := s.record(c.Room, line{Kind: messageLine, Time: time, User: u.id, PageGen: u.sessions[i].pageGen,
		From: u.name.name, Text: c.Text, CID: c.CID, Instance: from.Instance})
	if c.CID != "" {
		s.said.add(once, l.position(), s.bounds.Remembered)
	}
	s.change(change{kind: spoke, user: u, room: c.Room, line: l})
	return outcome{user: u, at: l.position()}
}

// find returns a line by its number.
func (s *state) find(room string, seq uint64) (line, bool) {
	r := s.rooms[room]
	if r == nil {
		return line{}, false
	}
	lines, _ := r.since(seq - 1)
	if len(lines) == 0 || lines[0].Seq != seq {
		return line{}, false
	}
	return lines[0], true
}

// remembered knows the messages said last by their ids at the client, so that a repetition is noticed.
type remembered struct {
	at    map[hash]position
	order []hash // oldest first
}

func newRemembered() remembered { return remembered{at: make(map[hash]position)} }

// onceOf stands for a message: the secret of who says it keeps others from using up his ids.
func onceOf(token hash, cid string) hash {
	var b [len(token) + maxCID]byte
	sum := sha256.Sum256(append(append(b[:0], token[:]...), cid...))
	return hash(sum[:len(hash{})])
}

func (m *remembered) add(h hash, at position, bound int) {
	m.at[h] = at
	m.order = append(m.order, h)
	for len(m.order) > bound {
		delete(m.at, m.order[0])
		m.order = m.order[1:]
	}
}
