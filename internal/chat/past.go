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

// past is how this instance reads the store.
type past struct {
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
	c.local.past.store = s
	for _, r := range c.local.rooms {
		r.history = cachedHistory{}
	}
}

// close ends the reads under way. The caller holds Chat.mu, and waits for past.ended once it no longer does.
func (p *past) close() {
	for _, cancel := range p.reads {
		cancel()
	}
}

// readLocked replies to a request with what read returns about rooms, and refuses the request if that is nil. read is
// called later and without the lock. Its context ends after maxReadTime, and when the chat closes. Its error is logged.
func (c *Chat) readLocked(
	r *request, rooms []string, read func(context.Context, store.Reader) (answer any, err error),
) {
	if len(c.local.past.reads) >= maxReads || r.client.usage.reads >= maxReadsPerClient {
		c.refuseRequestLocked(r, state.Overloaded, 0)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxReadTime)
	c.local.past.reads[r] = cancel
	r.client.usage.reads++
	s := c.local.past.store
	c.local.past.ended.Go(func() {
		defer cancel()
		answer, err := safely(func() (any, error) { return read(ctx, s) })
		c.mu.Lock()
		defer c.unlock()
		delete(c.local.past.reads, r)
		r.client.usage.reads--
		c.noteReadLocked(err)
		switch {
		case c.closed:
			c.refuseRequestLocked(r, state.Unavailable, 0)
		case slices.ContainsFunc(rooms, func(room string) bool { return !r.client.mayListen(room) }):
			c.refuseRequestLocked(r, state.NotInRoom, 0) // it has left meanwhile
		case answer == nil:
			c.refuseRequestLocked(r, state.PastUnavailable, 0)
		default:
			c.out.reply(r.ack, answer)
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
func (c *Chat) noteReadLocked(err error) {
	switch {
	case c.closed || (err != nil) == c.local.past.failed:
	case err != nil:
		c.logger().Warn("past of the chat can't be read", "err", err)
		c.local.past.failed = true
	default:
		c.logger().Info("past of the chat can be read again")
		c.local.past.failed = false
	}
}

// pastLines reads the last lines of a room before a number that clients may see: want of them, if there are as many. It
// reports whether there are more.
func (c *Chat) pastLines(
	ctx context.Context, s store.Reader, room string, before uint64, want int,
) (lines []state.Line, more bool, err error) {
	for {
		page, err := s.Lines(ctx, room, before, want+1-len(lines))
		if err != nil {
			return nil, false, fmt.Errorf("read lines of a room: %w", err)
		}
		lines = append(c.visible(page.Lines), lines...)
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
func (c *Chat) visible(stored []store.Line) []state.Line {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if malformed != nil {
		c.logger().Error("line of the store can't be read", "err", malformed)
	}
	kept := lines[:0]
	for _, l := range lines {
		if c.state.IsErased(l.Author, l.Seq) {
			l = l.Erased()
		}
		if !l.Hidden() && l.Time >= c.state.Retained() && c.state.Continues(l.Position()) {
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
func (c *Chat) isStored(ctx context.Context, s store.Reader, room string, p state.Position) (bool, error) {
	page, err := s.Lines(ctx, room, p.Seq+1, 1)
	if err != nil {
		return false, fmt.Errorf("look up a line: %w", err)
	}
	lines := c.visible(page.Lines)
	return len(lines) == 1 && lines[0].Position() == p, nil
}
