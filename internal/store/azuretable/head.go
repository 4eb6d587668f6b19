package azuretable

import (
	"fmt"
	"slices"

	"chatapp/internal/store"
)

// formatVersion is that of all rows; the head has it.
const formatVersion = 1

// maxTurns bounds the turns that the head remembers. Rows of older ones count for all that lies before.
const maxTurns = 1000

// head is the row of the partition log that says what counts.
type head struct {
	_           struct{} `cbor:",toarray"`
	Format      int
	Version     uint64 // of the row
	Log         store.LogID
	Index       uint64
	Seq         uint64
	Term        uint64
	Floor       uint64
	Paged       uint64 // lines up to this one are in pages
	Append      uint64 // random number of the last append, by which a writer finds out whether it has succeeded
	Turns       []turn
	Checkpoints []checkpoint // ascending
}

// turn is a stretch of writing, and behind what its rows count.
type turn struct {
	_     struct{} `cbor:",toarray"`
	ID    uint64
	Index uint64
	Seq   uint64
	Paged uint64
}

type checkpoint struct {
	_     struct{} `cbor:",toarray"`
	ID    string
	Log   store.LogID
	Index uint64
	Size  int
	Parts int
}

func (h *head) clone() *head {
	c := *h
	c.Turns = slices.Clone(h.Turns)
	c.Checkpoints = slices.Clone(h.Checkpoints)
	return &c
}

func (h *head) kept() store.Kept {
	k := store.Kept{Head: store.Head{Log: h.Log, Index: h.Index, Seq: h.Seq, Term: h.Term}, Floor: h.Floor}
	if len(h.Checkpoints) > 0 {
		k.Checkpoint = h.Checkpoints[0].Index
	}
	return k
}

// turn returns the last turn's number.
func (h *head) turn() uint64 {
	if len(h.Turns) == 0 {
		return 0
	}
	return h.Turns[len(h.Turns)-1].ID
}

// begin begins a turn behind an index and a line, of which there may be less than before.
func (h *head) begin(index, seq uint64) {
	h.Paged = min(h.Paged, seq)
	for i := range h.Turns {
		t := &h.Turns[i]
		t.Index, t.Seq, t.Paged = min(t.Index, index), min(t.Seq, seq), min(t.Paged, h.Paged)
	}
	next := turn{ID: h.turn() + 1, Index: index, Seq: seq, Paged: h.Paged}
	h.Turns = append(h.Turns, next)
	// A turn in which nothing was written needs no place.
	for i := len(h.Turns) - 2; i >= 0; i-- {
		a, b := h.Turns[i], h.Turns[i+1]
		if a.Index == b.Index && a.Seq == b.Seq && a.Paged == b.Paged {
			h.Turns = slices.Delete(h.Turns, i, i+1)
		}
	}
	h.Turns = h.Turns[max(0, len(h.Turns)-maxTurns):]
}

// within returns the range of what counts in a row of a turn, by one of the numbers that a turn has.
func (h *head) within(id uint64, number func(turn) uint64, end uint64) (after, through uint64) {
	i := slices.IndexFunc(h.Turns, func(t turn) bool { return t.ID == id })
	switch {
	case i < 0 && len(h.Turns) == maxTurns && id < h.Turns[0].ID:
		return 0, number(h.Turns[0])
	case i < 0:
		return 0, 0
	case i+1 < len(h.Turns):
		return number(h.Turns[i]), min(end, number(h.Turns[i+1]))
	}
	return number(h.Turns[i]), end
}

func (h *head) entries(id uint64) (after, through uint64) {
	return h.within(id, func(t turn) uint64 { return t.Index }, h.Index)
}

// unpaged is the range of lines that count in a row of the partition log.
func (h *head) unpaged(id uint64) (after, through uint64) {
	after, through = h.within(id, func(t turn) uint64 { return t.Seq }, h.Seq)
	return max(after, h.Paged), through
}

// paged is the range of lines that count in a page.
func (h *head) paged(id uint64) (after, through uint64) {
	return h.within(id, func(t turn) uint64 { return t.Paged }, h.Paged)
}

// between returns the lines of a range.
func between(lines []store.Line, after, through uint64) []store.Line {
	return slices.DeleteFunc(lines, func(l store.Line) bool { return l.Seq <= after || l.Seq > through })
}

func (h *head) row() *row {
	return &row{partition: partitionLog, key: headKey(h.Version), value: encode(h)}
}

func headKey(version uint64) string { return fmt.Sprintf("h%016x", version) }

func decodeHead(r *row) (*head, error) {
	var version []any
	if err := decode(r.value, &version, "the head"); err != nil {
		return nil, err
	}
	if len(version) == 0 {
		return nil, fmt.Errorf("the head is empty: %w", store.ErrCorrupt)
	}
	if v, ok := version[0].(uint64); !ok || v != formatVersion {
		return nil, fmt.Errorf("the table's format has version %v, this program reads %d: %w",
			version[0], formatVersion, store.ErrVersion)
	}
	h := new(head)
	return h, decode(r.value, h, "the head")
}
