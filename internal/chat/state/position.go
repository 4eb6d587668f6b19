package state

import (
	"errors"
	"strconv"
	"strings"
)

// logState is how far the log has been applied.
type logState struct {
	chain uint64   // a checksum of all entries applied
	last  Position // of the last line
	time  int64    // the latest time of an entry, in Unix milliseconds
}

// add takes an entry into account. The checksum is 64-bit FNV-1a over what identifies the entries.
func (l *logState) add(e Entry) {
	const prime = 1099511628211
	sum := l.chain
	for i := range len(e.Instance) {
		sum = (sum ^ uint64(e.Instance[i])) * prime
	}
	for _, n := range [2]uint64{e.Epoch, e.Number} {
		for range 8 {
			sum = (sum ^ n&0xff) * prime
			n >>= 8
		}
	}
	l.chain = sum
	l.time = max(l.time, e.Time)
}

// Position is a position in the log: behind one line, of whatever room. The zero value is the beginning.
//
// Check is a checksum of the log up to there. Should the cluster fall back to a state that had less of the log, Seq
// stands for another line from then on, and Check tells the two apart.
type Position struct {
	_     struct{} `cbor:",toarray"`
	Seq   uint64
	Check uint32
}

// Last returns the position of the last line.
func (s *State) Last() Position { return s.log.last }

// Verify reports whether a position, which must not be ahead of the State, is one of this log. It trusts the position
// of a line that is no longer kept.
func (s *State) Verify(p Position) bool {
	if p == s.log.last || p == (Position{}) {
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

// String returns the form in which clients receive a position: as the id of a line, and as recovery offset.
func (p Position) String() string {
	var b [28]byte
	text := strconv.AppendUint(b[:0], p.Seq, 36)
	text = append(text, '.')
	return string(strconv.AppendUint(text, uint64(p.Check), 36))
}

var errNoPosition = errors.New("not a position in the log")

// ParsePosition is the inverse of Position.String. It accepts nothing that String does not return.
func ParsePosition(text string) (Position, error) {
	seq, check, ok := strings.Cut(text, ".")
	if !ok || len(text) > 28 {
		return Position{}, errNoPosition
	}
	n, err := strconv.ParseUint(seq, 36, 64)
	if err != nil {
		return Position{}, errNoPosition
	}
	m, err := strconv.ParseUint(check, 36, 32)
	if p := (Position{Seq: n, Check: uint32(m)}); err == nil && p.String() == text {
		return p, nil
	}
	return Position{}, errNoPosition
}
