package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// A search goes through messages one by one, the newest first, and stops for an answer at the first of these bounds.
// The client goes on from there.
const (
	maxFound       = 50
	maxScanned     = 4000    // lines
	maxScannedSize = 1 << 20 // of their texts
	maxSearchTime  = 250 * time.Millisecond
	scanAtOnce     = 200 // lines of a room
)

// searchAnswer is the reply to "search".
type searchAnswer struct {
	OK       bool       `json:"ok"`
	Messages []lineView `json:"messages"` // newest first
	More     bool       `json:"more"`
	Before   string     `json:"before,omitempty"` // where to go on
}

// search is one under way, on a goroutine of its own.
type search struct {
	past   *history
	store  store.Reader // nil: none
	query  state.Query
	before state.Position // zero: not given
	rooms  []*scan

	answer        searchAnswer
	size, scanned int
	scannedSize   int
	last          state.Position // of the last line that was looked at
}

// scan is how far the lines of a room were read.
type scan struct {
	room   string
	before uint64       // all lines behind this number were read
	lines  []state.Line // read and not looked at, ascending
	stored bool         // the next ones come from the store
	done   bool         // there are no others
}

func (h *history) onSearch(r *request) {
	var options struct {
		Text   string  `json:"text"`
		Room   *string `json:"room"`
		Before string  `json:"before"`
	}
	if !h.optionsArgument(r, 0, &options) {
		return
	}
	s := &search{past: h}
	var code state.Code
	if s.query, code = state.ParseQuery(options.Text); code != state.Accepted {
		h.refuse(r, code)
		return
	}
	if options.Before != "" {
		var err error
		if s.before, err = state.ParsePosition(options.Before); err != nil {
			h.refuse(r, state.BadArgument)
			return
		}
	}
	room, code := h.parseRoom(options.Room, state.Lobby)
	if code != state.Accepted {
		h.refuse(r, code)
		return
	}
	h.mu.Lock()
	defer h.unlock()
	if !h.local.allowLocked(r, h.local.takeRequest) {
		return
	}
	rooms := []string{h.state.Meant(room)}
	if options.Room == nil && r.client.user != nil {
		rooms = slices.Clone(r.client.user.Rooms())
	}
	for _, room := range rooms {
		if !r.client.mayListen(room) {
			h.refuseRequestLocked(r, state.NotInRoom, 0)
			return
		}
		s.rooms = append(s.rooms, &scan{room: room})
	}
	end := h.lines.sentLocked().Seq + 1
	h.readLocked(r, rooms, func(ctx context.Context, reader store.Reader) (any, error) {
		s.store = reader
		return s.run(ctx, end)
	})
}

// run searches from the number end back, or from search.before.
func (s *search) run(ctx context.Context, end uint64) (any, error) {
	s.answer = searchAnswer{OK: true, Messages: []lineView{}}
	if s.before != (state.Position{}) {
		known, err := s.knows(ctx)
		if err != nil {
			return nil, err
		}
		if !known {
			return s.answer, nil
		}
		end = min(end, s.before.Seq)
	}
	for _, of := range s.rooms {
		of.before = end
	}
	start := time.Now()
	for {
		next, err := s.next(ctx)
		switch {
		case err != nil && s.scanned == 0:
			return nil, err
		case err != nil:
			return s.pause(), err
		case next == nil:
			return s.answer, nil
		}
		l := &next.lines[len(next.lines)-1]
		found := s.query.Matches(l)
		if found {
			if s.size += sizeInHistory(next.room, l); s.size > maxAnswerBytes && len(s.answer.Messages) > 0 {
				return s.pause(), nil
			}
			s.answer.Messages = append(s.answer.Messages, viewOf(next.room, []state.Line{*l}, false).Messages...)
		}
		next.lines = next.lines[:len(next.lines)-1]
		s.last = l.Position()
		s.scanned++
		s.scannedSize += len(l.Text)
		if len(s.answer.Messages) == maxFound || s.scanned == maxScanned || s.scannedSize > maxScannedSize ||
			time.Since(start) > maxSearchTime {
			return s.pause(), nil
		}
	}
}

// pause has the client go on behind the last line that was looked at.
func (s *search) pause() searchAnswer {
	s.answer.More, s.answer.Before = true, s.last.String()
	return s.answer
}

// knows reports whether search.before is a position of this log.
func (s *search) knows(ctx context.Context) (bool, error) {
	s.past.mu.Lock()
	known := s.past.state.Ahead(s.before) || s.past.state.Verify(s.before)
	s.past.mu.Unlock()
	for i := 0; i < len(s.rooms) && !known && s.store != nil; i++ {
		var err error
		if known, err = s.past.isStored(ctx, s.store, s.rooms[i].room, s.before); err != nil {
			return false, err
		}
	}
	return known, nil
}

// next returns the room of the newest line that was not looked at; nil: there is none.
func (s *search) next(ctx context.Context) (*scan, error) {
	var newest *scan
	for _, of := range s.rooms {
		for len(of.lines) == 0 && !of.done {
			if err := s.read(ctx, of); err != nil {
				return nil, err
			}
		}
		if n := len(of.lines); n > 0 && (newest == nil || of.lines[n-1].Seq > newest.lines[len(newest.lines)-1].Seq) {
			newest = of
		}
	}
	return newest, nil
}

// read reads more lines of a room, from memory as long as it has any. There may be none among them that clients see.
func (s *search) read(ctx context.Context, of *scan) error {
	if !of.stored {
		trimmed := s.readMemory(of)
		if !of.stored || of.done {
			return nil
		}
		if err := savedUpTo(ctx, s.store, trimmed, of.before); err != nil {
			return err
		}
	}
	page, err := s.store.Lines(ctx, of.room, of.before, scanAtOnce)
	if err != nil {
		return fmt.Errorf("read lines of a room: %w", err)
	}
	of.done = !page.More || len(page.Lines) == 0
	if len(page.Lines) > 0 {
		of.before = page.Lines[0].Seq
	}
	of.lines = s.past.visible(page.Lines)
	return nil
}

// readMemory is read from memory. Where that has no more lines, it returns the number up to which it has dropped some.
func (s *search) readMemory(of *scan) (trimmed uint64) {
	s.past.mu.Lock()
	defer s.past.mu.Unlock()
	r := s.past.state.Room(of.room)
	if r == nil {
		of.done = true
		return 0
	}
	lines, _ := r.Last(scanAtOnce, of.before)
	of.lines = slices.Clone(lines)
	if len(lines) > 0 {
		of.before = lines[0].Seq
		return 0
	}
	of.stored, of.done = true, s.store == nil || !s.past.state.MayBeStored(r, of.before)
	return r.Trimmed()
}
