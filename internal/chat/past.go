package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/store"
)

// A store has the lines that the state has dropped. It may be slow, so each request that needs it reads it on a
// goroutine of its own and without the lock. There are few of these at a time.
const (
	maxReads          = 16 // at a time, on this instance
	maxReadsPerClient = 2  // of these, for one connection
	maxReadTime       = 5 * time.Second
)

// history sends clients lines of before they came, or of before what they display: from memory, and from the store
// where memory ends.
type history struct {
	*core
	local *localClients
	lines *lines

	ended sync.WaitGroup // goroutines that read

	// Guarded by Chat.mu.
	store  store.Reader                    // nil: there is none
	reads  map[*request]context.CancelFunc // under way
	failed bool                            // the last read has failed, which the log says

	dropped int64 // the store has no lines of before, in Unix milliseconds
}

// errUnsaved says that lines are neither in memory any more nor in the store yet.
var errUnsaved = errors.New("the store does not have the lines yet that memory has dropped")

// SetStore has the chat read from a store what the state has dropped; nil: from none. The store stays the caller's, who
// closes it after the chat.
func (c *Chat) SetStore(s store.Reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.store = s
	for _, r := range c.local.rooms {
		r.history = cachedHistory{}
	}
}

// close ends the reads under way. The caller holds Chat.mu, and waits for history.ended once it no longer does.
func (h *history) close() {
	for _, cancel := range h.reads {
		cancel()
	}
}

// readLocked replies to a request with what read returns about rooms, and refuses the request if that is nil. read is
// called later and without the lock. Its context ends after maxReadTime, and when the chat closes. Its error is logged.
func (h *history) readLocked(
	r *request, rooms []string, read func(context.Context, store.Reader) (answer any, err error),
) {
	if len(h.reads) >= maxReads || r.client.usage.reads >= maxReadsPerClient {
		h.refuseRequestLocked(r, state.Overloaded, 0)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxReadTime)
	h.reads[r] = cancel
	r.client.usage.reads++
	s := h.store
	h.ended.Go(func() {
		defer cancel()
		answer, err := safely(func() (any, error) { return read(ctx, s) })
		h.mu.Lock()
		defer h.unlock()
		delete(h.reads, r)
		r.client.usage.reads--
		h.noteReadLocked(err)
		switch {
		case h.closed:
			h.refuseRequestLocked(r, state.Unavailable, 0)
		case slices.ContainsFunc(rooms, func(room string) bool { return !r.client.mayListen(room) }):
			h.refuseRequestLocked(r, state.NotInRoom, 0) // it has left meanwhile
		case answer == nil:
			h.refuseRequestLocked(r, state.PastUnavailable, 0)
		default:
			h.out.reply(r.ack, answer)
		}
	})
}

// safely turns a panic into an error.
func safely(read func() (any, error)) (answer any, err error) {
	defer func() {
		if r := recover(); r != nil {
			answer, err = nil, fmt.Errorf("panic: %v", r)
		}
	}()
	return read()
}

// noteReadLocked logs when the store begins to fail, and when it no longer does.
func (h *history) noteReadLocked(err error) {
	switch {
	case h.closed || (err != nil) == h.failed:
	case err != nil:
		h.logger().Warn("past of the chat can't be read", "err", err)
		h.failed = true
	default:
		h.logger().Info("past of the chat can be read again")
		h.failed = false
	}
}

// linesBefore reads the last lines of a room before a number that clients may see: want of them, if there are as many.
// It reports whether there are more.
func (h *history) linesBefore(
	ctx context.Context, s store.Reader, room string, before uint64, want int,
) (lines []state.Line, more bool, err error) {
	for {
		page, err := s.Lines(ctx, room, before, want+1-len(lines))
		if err != nil {
			return nil, false, fmt.Errorf("read lines of a room: %w", err)
		}
		lines = append(h.visible(page.Lines), lines...)
		switch {
		case len(lines) > want:
			return lines[len(lines)-want:], true, nil
		case !page.More || len(page.Lines) == 0:
			return lines, false, nil
		}
		before = page.Lines[0].Seq
	}
}

// visible decodes lines of the store and leaves out those that clients may not see: of a log that this one does not
// continue, too old, or forgotten.
func (h *history) visible(stored []store.Line) []state.Line {
	lines := make([]state.Line, 0, len(stored))
	var malformed error
	for i := range stored {
		l, err := state.DecodeLine(stored[i].Body)
		if err != nil {
			malformed = fmt.Errorf("line %d: %w", stored[i].Seq, err)
			continue
		}
		l.Seq, l.Time, l.Author = stored[i].Seq, stored[i].Time, stored[i].User
		lines = append(lines, l)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if malformed != nil {
		h.logger().Error("line of the store can't be read", "err", malformed)
	}
	kept := lines[:0]
	for _, l := range lines {
		if h.state.IsErased(l.Author, l.Seq) {
			l = l.Erased()
		}
		if !l.Hidden() && l.Time >= h.state.Retained() && h.state.Continues(l.Position()) {
			kept = append(kept, l)
		}
	}
	return kept
}

// savedUpTo returns an error unless the store has those of the lines before a number that memory has dropped, which it
// has up to the number trimmed.
func savedUpTo(ctx context.Context, s store.Reader, trimmed, before uint64) error {
	head, err := s.Head(ctx)
	if err != nil {
		return fmt.Errorf("read the head of the store: %w", err)
	}
	if head.Seq < trimmed && head.Seq+1 < before {
		return errUnsaved
	}
	return nil
}

// isStored reports whether a position is one of a line of a room that the store has, and clients may see.
func (h *history) isStored(ctx context.Context, s store.Reader, room string, p state.Position) (bool, error) {
	page, err := s.Lines(ctx, room, p.Seq+1, 1)
	if err != nil {
		return false, fmt.Errorf("look up a line: %w", err)
	}
	lines := h.visible(page.Lines)
	return len(lines) == 1 && lines[0].Position() == p, nil
}
