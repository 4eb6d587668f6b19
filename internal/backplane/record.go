package backplane

import (
	"cmp"
	"slices"
)

// maxSpans bounds a record's spans. More than two are rare: an instance that joins again drops some of
// its own control entries.
const maxSpans = 32

// record is what the log says of one instance; alike on every instance in sync.
type record struct {
	Instance  string `cbor:"1,keyasint"`
	Start     uint64 `cbor:"2,keyasint"`           // first epoch of the process
	Epoch     uint64 `cbor:"3,keyasint"`           // present one
	Next      uint64 `cbor:"4,keyasint"`           // number that is accepted next in this epoch
	Seen      []span `cbor:"5,keyasint,omitempty"` // Seq of all that was accepted of this process, ascending
	Rank      uint64 `cbor:"6,keyasint"`           // log index of its join request: lower for older instances
	InSync    bool   `cbor:"7,keyasint,omitempty"`
	Gone      bool   `cbor:"8,keyasint,omitempty"`
	Reads     uint   `cbor:"9,keyasint"`            // newest version that it reads and writes
	GoneIndex uint64 `cbor:"10,keyasint,omitempty"` // log index at which it left
	Connected bool   `cbor:"11,keyasint,omitempty"` // a client is connected to it
	Rules     uint64 `cbor:"12,keyasint"`           // newest version of the state machine's rules that it knows
	Stores    bool   `cbor:"13,keyasint,omitempty"` // it has a store
}

// span is a range of numbers, both ends included.
type span struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Last  uint64
}

// saw notes a Seq, and reports false if it was noted before.
func (r *record) saw(seq uint64) bool {
	if n := len(r.Seen); n > 0 && r.Seen[n-1].Last+1 == seq {
		r.Seen[n-1].Last = seq
		return true
	}
	if r.hasSeen(seq) {
		return false
	}
	i, _ := slices.BinarySearchFunc(r.Seen, seq, func(s span, seq uint64) int { return cmp.Compare(s.First, seq) })
	r.Seen = slices.Insert(r.Seen, i, span{First: seq, Last: seq})
	if i+1 < len(r.Seen) && seq+1 == r.Seen[i+1].First {
		r.Seen[i].Last = r.Seen[i+1].Last
		r.Seen = slices.Delete(r.Seen, i+1, i+2)
	}
	if i > 0 && r.Seen[i-1].Last+1 == seq {
		r.Seen[i-1].Last = r.Seen[i].Last
		r.Seen = slices.Delete(r.Seen, i, i+1)
	}
	if len(r.Seen) > maxSpans {
		r.Seen[1].First = r.Seen[0].First // the oldest gap will not be filled any more
		r.Seen = slices.Delete(r.Seen, 0, 1)
	}
	return true
}

func (r *record) hasSeen(seq uint64) bool {
	return slices.ContainsFunc(r.Seen, func(s span) bool { return s.First <= seq && seq <= s.Last })
}
