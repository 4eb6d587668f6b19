package recorder

import (
	"cmp"
	"slices"

	"chatapp/internal/backplane"
	"chatapp/internal/store"
)

// queue has the entries and lines that are not known to be stored. Entries follow each other without a gap.
type queue struct {
	entries []backplane.Recorded
	lines   []store.Line // ascending
	bytes   int
}

// room is about the memory that an entry or a line takes beside its body.
const room = 96

func (q *queue) last() uint64 {
	if n := len(q.entries); n > 0 {
		return q.entries[n-1].Index
	}
	return 0
}

func (q *queue) lastLine() uint64 {
	if n := len(q.lines); n > 0 {
		return q.lines[n-1].Seq
	}
	return 0
}

func (q *queue) push(entries []backplane.Recorded) {
	if n := len(q.entries); n > 0 && len(entries) > 0 && entries[0].Index != q.entries[n-1].Index+1 {
		q.dropEntries(n) // the state has jumped in between
	}
	for _, e := range entries {
		q.entries = append(q.entries, e)
		q.bytes += len(e.Body) + room
	}
}

func (q *queue) pushLine(l store.Line) {
	q.lines = append(q.lines, l)
	q.bytes += len(l.Body) + room
}

func (q *queue) dropEntries(n int) {
	for i := range n {
		q.bytes -= len(q.entries[i].Body) + room
		q.entries[i] = backplane.Recorded{}
	}
	if q.entries = q.entries[n:]; len(q.entries) == 0 {
		q.entries = nil
	}
}

func (q *queue) dropLines(n int) {
	for i := range n {
		q.bytes -= len(q.lines[i].Body) + room
		q.lines[i] = store.Line{}
	}
	if q.lines = q.lines[n:]; len(q.lines) == 0 {
		q.lines = nil
	}
}

// shrink drops the oldest entries and lines until limit bytes are left, and returns how many lines those were.
func (q *queue) shrink(limit int) (lines uint64) {
	for q.bytes > limit && len(q.entries)+len(q.lines) > 0 {
		if len(q.lines) == 0 || len(q.entries) > 0 && q.entries[0].Index <= q.lines[0].Index {
			q.dropEntries(1)
			continue
		}
		q.dropLines(1)
		lines++
	}
	return lines
}

// trim drops what is stored.
func (q *queue) trim(index uint64) {
	n, _ := slices.BinarySearchFunc(q.entries, index+1, func(e backplane.Recorded, index uint64) int {
		return cmp.Compare(e.Index, index)
	})
	q.dropEntries(n)
	n, _ = slices.BinarySearchFunc(q.lines, index+1, func(l store.Line, index uint64) int {
		return cmp.Compare(l.Index, index)
	})
	q.dropLines(n)
}

// trimTo drops the entries up to an index and the lines up to a number.
func (q *queue) trimTo(index, seq uint64) {
	n, _ := slices.BinarySearchFunc(q.entries, index+1, func(e backplane.Recorded, index uint64) int {
		return cmp.Compare(e.Index, index)
	})
	q.dropEntries(n)
	n, _ = slices.BinarySearchFunc(q.lines, seq+1, func(l store.Line, seq uint64) int {
		return cmp.Compare(l.Seq, seq)
	})
	q.dropLines(n)
}

// from returns the entries behind an index. It reports false if some of them are missing.
func (q *queue) from(behind uint64) ([]backplane.Recorded, bool) {
	if len(q.entries) == 0 {
		return nil, true
	}
	first := q.entries[0].Index
	if first > behind+1 {
		return nil, false
	}
	return q.entries[min(behind+1-first, uint64(len(q.entries))):], true
}

// linesUpTo returns the lines of entries up to an index.
func (q *queue) linesUpTo(index uint64) []store.Line {
	n, _ := slices.BinarySearchFunc(q.lines, index+1, func(l store.Line, index uint64) int {
		return cmp.Compare(l.Index, index)
	})
	return q.lines[:n]
}

// missesLines reports whether there may be lines that neither the store nor the queue has.
func (q *queue) missesLines(head store.Head) bool {
	_, all := q.from(head.Index)
	return !all || len(q.entries) == 0
}

// fill adds lines that are older than those of the queue.
func (q *queue) fill(lines []store.Line) {
	if len(q.lines) > 0 {
		first := q.lines[0].Seq
		lines = slices.DeleteFunc(lines, func(l store.Line) bool { return l.Seq >= first })
		for i := range lines {
			lines[i].Index = min(lines[i].Index, q.lines[0].Index)
		}
	}
	newer := q.lines
	q.lines = nil
	for _, l := range newer {
		q.bytes -= len(l.Body) + room
	}
	for _, l := range append(lines, newer...) {
		q.pushLine(l)
	}
}
