package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"chatapp/internal/store"
)

// Faults say what goes wrong in a Memory: probabilities from 0 to 1 for each call, and the upper bound of a random
// delay. The zero value is a perfect store.
type Faults struct {
	Refuse     float64 // a call fails and does nothing
	Full       float64 // likewise, of methods that write, with store.ErrFull
	LoseAnswer float64 // a call of a method that writes does its work and fails
	Time       time.Duration
}

// ErrFault is returned by a call that a fault makes fail.
var ErrFault = errors.New("storetest: fault")

// Memory is a store in memory with faults, which outlives those that open it. Its choices follow from its seed and the
// order of calls. Its methods may be called concurrently.
type Memory struct {
	mu      sync.Mutex // guards what follows
	random  *rand.Rand
	faults  Faults
	stalled chan struct{} // nil: calls go on; closed when they do again
	content content
}

// NewMemory returns an empty store.
func NewMemory(seed uint64) *Memory { return &Memory{random: rand.New(rand.NewPCG(seed, 2))} }

// Open returns the store as another process has it. The handle can write once it has claimed the store.
func (m *Memory) Open() store.Store { return &handle{m: m} }

// SetFaults replaces the faults.
func (m *Memory) SetFaults(faults Faults) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = faults
}

// Stall has all calls wait, before they do anything, until it is called with false or their contexts end.
func (m *Memory) Stall(stall bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stall == (m.stalled != nil) {
		return
	}
	if stall {
		m.stalled = make(chan struct{})
		return
	}
	close(m.stalled)
	m.stalled = nil
}

// call runs a method, with the faults of the moment.
func (m *Memory) call(ctx context.Context, writes bool, do func(*content) error) error {
	m.mu.Lock()
	var delay time.Duration
	if m.faults.Time > 0 {
		delay = time.Duration(m.random.Int64N(int64(m.faults.Time)))
	}
	m.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	for m.stalled != nil && ctx.Err() == nil {
		stalled := m.stalled
		m.mu.Unlock()
		select {
		case <-stalled:
		case <-ctx.Done():
		}
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	chance := func(p float64) bool { return p > 0 && m.random.Float64() < p }
	switch {
	case chance(m.faults.Refuse):
		return ErrFault
	case writes && chance(m.faults.Full):
		return fmt.Errorf("%w: %w", ErrFault, store.ErrFull)
	}
	if err := do(&m.content); err != nil {
		return err
	}
	if writes && chance(m.faults.LoseAnswer) {
		return ErrFault
	}
	return nil
}

// handle is a Memory as one process has it.
type handle struct {
	m *Memory

	mu     sync.Mutex
	term   uint64 // 0: it is not the writer
	closed bool
}

var errClosed = errors.New("storetest: the store is closed")

func (h *handle) call(ctx context.Context, do func(*content) error) error {
	h.mu.Lock()
	closed := h.closed
	h.mu.Unlock()
	if closed {
		return errClosed
	}
	return h.m.call(ctx, false, do)
}

func (h *handle) write(ctx context.Context, do func(*content) error) error {
	h.mu.Lock()
	term, closed := h.term, h.closed
	h.mu.Unlock()
	if closed {
		return errClosed
	}
	return h.m.call(ctx, true, func(c *content) error {
		if term == 0 || term != c.kept.Head.Term {
			return store.ErrFenced
		}
		return do(c)
	})
}

func (h *handle) Claim(ctx context.Context) (head store.Head, err error) {
	err = h.call(ctx, func(c *content) error {
		c.kept.Head.Term++
		head = c.kept.Head
		return nil
	})
	if err == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.term = head.Term
	}
	return head, err
}

func (h *handle) Append(ctx context.Context, b store.Batch) error {
	return h.write(ctx, func(c *content) error { return c.append(&b) })
}

func (h *handle) DropEntries(ctx context.Context, through uint64) error {
	return h.write(ctx, func(c *content) error { return c.dropEntries(through) })
}

func (h *handle) Rewrite(ctx context.Context, through uint64, change func(*store.Line) store.Change) error {
	return h.write(ctx, func(c *content) error {
		c.rewrite(through, change)
		return nil
	})
}

func (h *handle) DropLines(ctx context.Context, before time.Time) error {
	return h.write(ctx, func(c *content) error {
		c.lines = slices.DeleteFunc(c.lines, func(l store.Line) bool { return l.Time < before.UnixMilli() })
		return nil
	})
}

func (h *handle) Head(ctx context.Context) (head store.Head, err error) {
	err = h.call(ctx, func(c *content) error {
		head = c.kept.Head
		return nil
	})
	return head, err
}

func (h *handle) Checkpoint(ctx context.Context) (checkpoint *store.Checkpoint, err error) {
	err = h.call(ctx, func(c *content) error {
		if n := len(c.checkpoints); n > 0 {
			newest := c.checkpoints[n-1]
			newest.Body = slices.Clone(newest.Body)
			checkpoint = &newest
		}
		return nil
	})
	return checkpoint, err
}

func (h *handle) Entries(ctx context.Context, after uint64, yield func(store.Entry) error) error {
	var entries []store.Entry
	err := h.call(ctx, func(c *content) error {
		if after < c.kept.Floor {
			return fmt.Errorf("read entries behind index %d, of which those up to %d are not kept: %w",
				after, c.kept.Floor, store.ErrGone)
		}
		for _, entry := range c.entries {
			if entry.Index > after {
				entries = append(entries, entry)
			}
		}
		return nil
	})
	for _, entry := range entries {
		if err := yield(entry); err != nil {
			return err
		}
	}
	return err
}

func (h *handle) Lines(ctx context.Context, room string, before uint64, limit int) (page store.Page, err error) {
	err = h.call(ctx, func(c *content) error {
		page = c.page(room, before, limit)
		return nil
	})
	return page, err
}

func (h *handle) Rooms(ctx context.Context, yield func(room string) error) error {
	var rooms []string
	err := h.call(ctx, func(c *content) error {
		rooms = c.rooms()
		return nil
	})
	for _, room := range rooms {
		if err := yield(room); err != nil {
			return err
		}
	}
	return err
}

// Close ends the handle; what it has stored stays.
func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return nil
}
