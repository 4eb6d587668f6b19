package chat

import (
	"unicode/utf8"

	"chatapp/internal/chat/state"
)

// What the server composes for a client by itself fits the client's queue by construction: otherwise a few large
// messages would make everybody who comes a slow consumer. So all of it is bounded in bytes as well as in lines and
// names. The most that a client can receive at once is when it returns to MaxRooms rooms: for each a history and a
// roster. A queue counts a message about twice, so that is 16 * (64 KiB + 256 KiB) * 2, or 10 MiB, of
// engineio.Options.MaxQueueBytes.
const (
	maxAnswerBytes = 64 << 10  // of a history, or of a page of users or rooms; a single larger line still goes
	maxRosterBytes = 256 << 10 // of the names in "nicknames"
	maxPageBytes   = 256 << 10 // of the lines that a client has missed, sent one by one at a time
	maxReplayBytes = 4 << 20   // of all of them; a client that has missed more receives histories
	maxMissedBytes = 1 << 20   // of the lines that all clients here have missed, sent at once
)

// lineOverhead is about what a line takes besides its texts: as an element of a history, or as an event in a queue.
const (
	lineOverhead   = 160
	replayOverhead = 512
)

// jsonSize returns how many bytes a text takes as a JSON string at most.
func jsonSize(text string) int {
	size := 2
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"', c == '\\':
			size += 2
			i++
		case c < ' ', c == 0x7f:
			size += len(`\u0000`)
			i++
		case c < utf8.RuneSelf:
			size++
			i++
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				size += len(`\u2028`) - n
			}
			size += n
			i += n
		}
	}
	return size
}

// sizeInHistory is about how many bytes a line takes in a history.
func sizeInHistory(room string, l *state.Line) int {
	size := lineOverhead + jsonSize(l.From) + jsonSize(l.Was) + jsonSize(l.CID) + len(l.Instance) + len(room)
	if l.Kind == state.MessageLine {
		return size + jsonSize(l.Text)
	}
	return size + jsonSize(lineText(l, room))
}

// newestThatFit returns the last lines that fit into a history, at least one, and whether these are all.
func newestThatFit(room string, lines []state.Line) (fit []state.Line, all bool) {
	size := 0
	for i := len(lines) - 1; i >= 0; i-- {
		size += sizeInHistory(room, &lines[i])
		if size > maxAnswerBytes && i < len(lines)-1 {
			return lines[i+1:], false
		}
	}
	return lines, true
}

// missedByLocked returns the lines that were missed since a position in some rooms. It reports false if not all of them
// are kept, or if they are more than so many bytes: then clients receive histories instead.
func (h *history) missedByLocked(rooms []string, since state.Position, most int) ([]state.MissedLine, bool) {
	missed, whole := h.state.MissedBy(rooms, since)
	if n := firstThatFit(missed, most); n < len(missed) {
		return nil, false
	}
	return missed, whole
}

// firstThatFit returns how many of the first lines take at most so many bytes, sent one by one.
func firstThatFit(missed []state.MissedLine, most int) int {
	size := 0
	for i := range missed {
		if size += replayOverhead + sizeInHistory(missed[i].Room, &missed[i].Line); size > most {
			return i
		}
	}
	return len(missed)
}
