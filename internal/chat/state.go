package chat

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// lobby is the room that everybody with a name is in, and that the others may listen to.
const lobby = "lobby"

// state is what all instances hold alike. Its methods are deterministic: what they do depends on the state and their
// arguments alone. It is not safe for concurrent use.
type state struct {
	chain  uint64   // sums up all entries applied so far
	last   position // of the last line
	seq    uint64   // last number given to a line, a user or a change of a user
	time   int64    // latest time of an entry, Unix milliseconds
	bounds Bounds

	users     map[uint64]*user // connected or held, by id
	byKey     map[string]*user // the same, by folded name
	byToken   map[hash]*user   // the same, and lapsed ones
	byPage    map[hash]*user   // of those, who have one
	bySession map[session]*user
	lapsed    []*user // in the order in which they lapsed
	rooms     map[string]*room
	bytes     int // of all lines
	said      remembered

	changes []change // of the entry being applied; the array is used again
}

// session is one socket's stay on one instance.
type session struct {
	Instance string
	Conn     uint64
}

// change is what an entry has altered, for those who show it.
type change struct {
	kind changeKind
	user *user
	at   session // where he is, or was until this entry
	room string
	line line    // of spoke, joined, left and renamed
	old  session // of bound: where he was before; zero: nowhere
	on   bool    // of typed

	gathered bool // of joined and left: told later, see Chat.gather
}

type changeKind uint8

const (
	spoke    changeKind = iota // a message was said
	joined                     // he is in a room
	left                       // he is no longer
	renamed                    // told once for each of his rooms
	bound                      // he is on another session
	away                       // his connection was lost
	orphaned                   // he was away already, and now nobody times him
	back                       // he was away
	typed                      // he types, or no longer does
	freed                      // he is not a user any more
)

// outcome is what an entry means to who appended it.
type outcome struct {
	code      code
	user      *user    // of a claim or rename
	at        position // of a message: its line
	duplicate bool     // it had been said before
	stale     bool     // of a claim: the user is on a socket connected later
}

func newState(b Bounds) *state {
	return &state{
		bounds:    b,
		users:     make(map[uint64]*user),
		byKey:     make(map[string]*user),
		byToken:   make(map[hash]*user),
		byPage:    make(map[hash]*user),
		bySession: make(map[session]*user),
		rooms:     make(map[string]*room),
		said:      newRemembered(),
	}
}

// apply applies a command. What it returns is valid until the next call.
func (s *state) apply(e Entry, c *command) (outcome, []change) {
	s.begin(e)
	from := session{e.Instance, c.Conn}
	var o outcome
	switch c.Kind {
	case claimName:
		o = s.claim(from, c, e.Time)
	case renameUser:
		o = s.rename(from, c, e.Time)
	case leaveChat:
		o = s.leaveChat(from, e.Time)
	case dropUser:
		o = s.drop(from, c.Hold, e.Time)
	case expireUser:
		s.expire(c.Users, e.Time)
	case joinRoom:
		o = s.joinRoom(from, c, e.Time)
	case leaveRoom:
		o = s.leaveRoom(from, c.Room, e.Time)
	case say:
		o = s.say(from, c, e.Time)
	case typing:
		o = s.typing(from, c)
	}
	return o, s.changes
}

// gone applies an instance's end: whoever was connected there is held, and nobody there times him any more.
func (s *state) gone(at Entry, instance string) []change {
	s.begin(at)
	var theirs []*user
	for _, u := range s.users {
		if u.at().Instance == instance && !u.orphan {
			theirs = append(theirs, u)
		}
	}
	slices.SortFunc(theirs, func(a, b *user) int { return cmp.Compare(a.id, b.id) })
	for _, u := range theirs {
		u.orphan = true
		if u.status == connected {
			u.status = held
			u.gen = s.next()
			s.change(change{kind: away, user: u})
		} else {
			s.change(change{kind: orphaned, user: u})
		}
	}
	return s.changes
}

// begin prepares for an entry.
func (s *state) begin(e Entry) {
	clear(s.changes)
	s.changes = s.changes[:0]
	s.chain = chained(s.chain, e)
	s.time = max(s.time, e.Time)
	s.forgetLapsed()
}

func (s *state) next() uint64 {
	s.seq++
	return s.seq
}

func (s *state) change(c change) {
	c.at = c.user.at()
	s.changes = append(s.changes, c)
}

// chained adds an entry to a sum of entries: 64-bit FNV-1a.
func chained(sum uint64, e Entry) uint64 {
	const prime = 1099511628211
	for i := range len(e.Instance) {
		sum = (sum ^ uint64(e.Instance[i])) * prime
	}
	for _, n := range [2]uint64{e.Epoch, e.Number} {
		for range 8 {
			sum = (sum ^ n&0xff) * prime
			n >>= 8
		}
	}
	return sum
}

// position is a place in the log: behind a line, of whatever room. The zero value is the beginning.
//
// The check sums up the entries up to there. Should the cluster lose its state to one that had less of the log, the
// same number stands for another line from then on, and the check tells.
type position struct {
	_     struct{} `cbor:",toarray"`
	Seq   uint64
	Check uint32
}

// position returns the line's.
func (l *line) position() position { return position{Seq: l.Seq, Check: l.Check} }

// verify reports that a position not ahead of the state is one of this log. That of a line not kept any more is believed.
func (s *state) verify(p position) bool {
	if p == s.last || p == (position{}) {
		return true
	}
	if p.Seq == 0 {
		return false
	}
	dropped := false
	for _, r := range s.rooms {
		if lines, _ := r.since(p.Seq - 1); len(lines) > 0 && lines[0].Seq == p.Seq {
			return lines[0].Check == p.Check
		}
		dropped = dropped || r.trimmed >= p.Seq
	}
	return dropped
}

// String is how clients are given a position: as the id of a line, and as offset.
func (p position) String() string {
	var b [28]byte
	text := strconv.AppendUint(b[:0], p.Seq, 36)
	text = append(text, '.')
	return string(strconv.AppendUint(text, uint64(p.Check), 36))
}

var errNoPosition = errors.New("not a position in the log")

func parsePosition(text string) (position, error) {
	seq, check, ok := strings.Cut(text, ".")
	if !ok || len(text) > 28 {
		return position{}, errNoPosition
	}
	n, err := strconv.ParseUint(seq, 36, 64)
	if err != nil {
		return position{}, errNoPosition
	}
	m, err := strconv.ParseUint(check, 36, 32)
	if p := (position{Seq: n, Check: uint32(m)}); err == nil && p.String() == text {
		return p, nil
	}
	return position{}, errNoPosition
}
