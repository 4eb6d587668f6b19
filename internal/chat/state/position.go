package state

import (
	"errors"
	"strconv"
	"strings"
)

// logState is how far which log has been applied.
type logState struct {
	id      uint32   // of the log; 0: none has begun
	parents []branch // the logs that it continues, oldest first
	chain   uint64   // a checksum of all entries applied
	last    Position // of the last line
	time    int64    // the latest time of an entry, in Unix milliseconds
	rules   uint64   // the version of the rules that entries are applied by
}

// branch is a log that another one continues, up to the last number that both have in common.
type branch struct {
	_   struct{} `cbor:",toarray"`
	Log uint32
	Seq uint64
}

// maxParents bounds the logs whose positions are known. Those of an older one count as unknown.
const maxParents = 64

// The checksums are 64-bit FNV-1a.
const (
	fnvBasis = 14695981039346656037
	fnvPrime = 1099511628211
)

func checksum(sum uint64, text string, numbers ...uint64) uint64 {
	for i := range len(text) {
		sum = (sum ^ uint64(text[i])) * fnvPrime
	}
	for _, n := range numbers {
		for range 8 {
			sum = (sum ^ n&0xff) * fnvPrime
			n >>= 8
		}
	}
	return sum
}

// add takes an entry into account, by what identifies it.
func (l *logState) add(e Entry) {
	l.chain = checksum(l.chain, e.Instance, e.Epoch, e.Number)
	l.time = max(l.time, e.Time)
}

// Begin begins a log with the State as it is: what comes after it has positions of its own, and those of the log before
// stay valid up to here. The instance and the epoch of at name the log, and no other log has them.
func (s *State) Begin(at Entry) {
	s.begin(at)
	l := &s.log
	if l.id != 0 || s.seq > 0 {
		l.parents = append(l.parents, branch{Log: l.id, Seq: s.seq})
		l.parents = l.parents[max(0, len(l.parents)-maxParents):]
	}
	sum := checksum(fnvBasis, at.Instance, at.Epoch)
	l.id = max(uint32(sum>>32^sum), 1)
}

// Position is a position in the log: behind one line, of whatever room. The zero value is the beginning.
//
// Log names the log. Every cluster that begins one gives it another name. Check is a checksum of the log up to there:
// should an instance have applied entries in another order than the others, it tells the two orders apart.
type Position struct {
	_     struct{} `cbor:",toarray"`
	Log   uint32
	Seq   uint64
	Check uint32
}

// Last returns the position of the last line.
func (s *State) Last() Position { return s.log.last }

// Ahead reports whether a position is one of this log that the State has not reached. It may be one that the log never
// had.
func (s *State) Ahead(p Position) bool { return p.Log == s.log.id && p.Seq > s.log.last.Seq }

// Verify reports whether a position is one of this log, or of a log that this one continues and not behind the branch.
// It trusts the position of a line that is no longer kept.
func (s *State) Verify(p Position) bool {
	if p == s.log.last || p == (Position{}) {
		return true
	}
	if p.Seq == 0 || p.Seq > s.extent(p.Log) {
		return false
	}
	dropped := false
	for _, r := range s.rooms {
		if lines, _ := r.since(p.Seq - 1); len(lines) > 0 && lines[0].Seq == p.Seq {
			return lines[0].Position() == p
		}
		dropped = dropped || r.trimmed >= p.Seq
	}
	return dropped
}

// Continues reports whether a line with this position can be one of this log, or of one that it continues. Of the logs
// before the oldest one that it knows of, it trusts all.
func (s *State) Continues(p Position) bool {
	if end := s.extent(p.Log); end > 0 {
		return p.Seq <= end
	}
	return len(s.log.parents) == maxParents && p.Seq <= s.log.parents[0].Seq
}

// extent returns the last number of a log that this State contains, or 0 if it contains none.
func (s *State) extent(log uint32) uint64 {
	if log == s.log.id {
		return s.log.last.Seq
	}
	for i := len(s.log.parents) - 1; i >= 0; i-- {
		if s.log.parents[i].Log == log {
			return s.log.parents[i].Seq
		}
	}
	return 0
}

// maxPosition is the length of the longest position as text.
const maxPosition = 7 + 1 + 13 + 1 + 7

// String returns the form in which clients receive a position: as the id of a line, and as recovery offset.
func (p Position) String() string {
	var b [maxPosition]byte
	return string(p.append(b[:0]))
}

func (p Position) append(text []byte) []byte {
	text = strconv.AppendUint(text, uint64(p.Log), 36)
	text = append(text, '.')
	text = strconv.AppendUint(text, p.Seq, 36)
	text = append(text, '.')
	return strconv.AppendUint(text, uint64(p.Check), 36)
}

var errNoPosition = errors.New("not a position in a log")

// ParsePosition is the inverse of Position.String. It accepts nothing that String does not return.
func ParsePosition(text string) (Position, error) {
	logText, rest, _ := strings.Cut(text, ".")
	seqText, checkText, found := strings.Cut(rest, ".")
	if !found || len(text) > maxPosition {
		return Position{}, errNoPosition
	}
	log, err := strconv.ParseUint(logText, 36, 32)
	if err != nil {
		return Position{}, errNoPosition
	}
	seq, err := strconv.ParseUint(seqText, 36, 64)
	if err != nil {
		return Position{}, errNoPosition
	}
	check, err := strconv.ParseUint(checkText, 36, 32)
	p := Position{Log: uint32(log), Seq: seq, Check: uint32(check)}
	var b [maxPosition]byte
	if err != nil || string(p.append(b[:0])) != text {
		return Position{}, errNoPosition
	}
	return p, nil
}
