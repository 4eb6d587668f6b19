package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// Selection says which lines Export writes. Set one of the fields.
type Selection struct {
	Room     string // all of a room, as a user may type its name
	Nickname string // what was said or done under a nickname, in all rooms; case makes no difference
	User     uint64 // all of the user with this number, under whatever nickname, in all rooms
}

// exportedLine is a line with what only operators need to know.
type exportedLine struct {
	lineView
	User string `json:"user,omitempty"` // hexadecimal; the same for all lines under one resume token
}

// exportAtOnce is how many lines of a room Export reads at a time.
const exportAtOnce = 500

// Export writes lines of a store as JSON, one on each line, room by room and the newest first, and returns how many it
// has written. Another process may write the store meanwhile. The error of a line that can't be decoded comes last.
func Export(ctx context.Context, s store.Reader, which Selection, w io.Writer) (n int, err error) {
	var rooms []string
	if which.Room != "" {
		room, code := state.ParseRoom(which.Room, len(which.Room))
		if code != state.Accepted {
			return 0, fmt.Errorf("%q is no name of a room", which.Room)
		}
		rooms = append(rooms, room)
	} else {
		err = s.Rooms(ctx, func(room string) error {
			rooms = append(rooms, room)
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("list the rooms of the store: %w", err)
		}
	}
	var malformed error
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for _, room := range rooms {
		for before, more := uint64(0), true; more; {
			page, err := s.Lines(ctx, room, before, exportAtOnce)
			if err != nil {
				return n, fmt.Errorf("read lines of room %q: %w", room, err)
			}
			for i := len(page.Lines) - 1; i >= 0; i-- {
				line, selected, err := which.export(room, &page.Lines[i])
				if err != nil {
					malformed = fmt.Errorf("line %d of room %q: %w", page.Lines[i].Seq, room, err)
				}
				if err != nil || !selected {
					continue
				}
				if err := encoder.Encode(line); err != nil {
					return n, err
				}
				n++
			}
			if more = page.More && len(page.Lines) > 0; more {
				before = page.Lines[0].Seq
			}
		}
	}
	return n, malformed
}

// export returns a line for Export, and whether it is selected.
func (which *Selection) export(room string, stored *store.Line) (line exportedLine, selected bool, err error) {
	l, err := state.DecodeLine(stored.Body)
	if err != nil {
		return exportedLine{}, false, err
	}
	l.Seq, l.Time = stored.Seq, stored.Time
	is := func(name string) bool { return name != "" && strings.EqualFold(name, which.Nickname) }
	switch {
	case which.Nickname != "" && !is(l.From) && !is(l.Was), which.User != 0 && stored.User != which.User:
		return exportedLine{}, false, nil
	}
	line = exportedLine{lineView: viewOf(room, []state.Line{l}, false).Messages[0]}
	if stored.User != 0 {
		line.User = strconv.FormatUint(stored.User, 16)
	}
	return line, true, nil
}
