package chat

import (
	"cmp"
	"math"
	"slices"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// recordLocked hands the lines that an entry has led to over for a store.
func (c *Chat) recordLocked(index uint64, changes []state.Change) {
	if c.options.Recorded == nil {
		return
	}
	var lines []store.Line
	for i := range changes {
		ch := &changes[i]
		switch ch.Kind {
		case state.Said, state.Joined, state.Left, state.Renamed:
			lines = append(lines, store.Line{Room: ch.Room, Seq: ch.Line.Seq, Index: index, Time: ch.Line.Time,
				User: state.Author(ch.User.Token()), Body: ch.Line.Encode()})
		}
	}
	if len(lines) > 0 {
		c.options.Recorded(lines)
	}
}

// LinesSince returns the lines behind a number that memory has, ascending, as Options.Recorded is given them but
// without an index. The caller is the one that calls Apply.
func (c *Chat) LinesSince(seq uint64) []store.Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []store.Line
	for r := range c.state.Rooms() {
		kept, _ := r.Last(math.MaxInt, 0)
		for i := range kept {
			l := &kept[i]
			if l.Seq <= seq {
				continue
			}
			lines = append(lines,
				store.Line{Room: r.Name(), Seq: l.Seq, Time: l.Time, User: l.Author, Body: l.Encode()})
		}
	}
	slices.SortFunc(lines, func(a, b store.Line) int { return cmp.Compare(a.Seq, b.Seq) })
	return lines
}
