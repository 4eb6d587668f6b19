package chat

import (
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
