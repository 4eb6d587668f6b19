package recorder

import (
	"errors"
	"time"

	"chatapp/internal/store"
)

// trouble is a store that fails.
type trouble struct {
	err     error // nil: it works
	since   time.Time
	retryAt time.Time // zero: at once
	pause   time.Duration
}

type counts struct {
	batches  uint64
	failures uint64
	lost     uint64 // lines that were dropped before they were stored
}

// Status says how saving goes.
type Status struct {
	Writes bool   // this process writes the store
	Saved  bool   // what is accepted is stored, or will be in a moment
	Why    string // if not: the reason as a sentence
	Index  uint64 // up to which everything is stored, if this process writes
	Behind int    // entries that wait to be stored

	Batches  uint64 // stored
	Failures uint64 // calls of the store that failed
	Lost     uint64 // lines that were dropped before they were stored
}

var errClosed = errors.New("the store is closed")

// Status returns how saving goes at present.
func (r *Recorder) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Writes: r.writes, Saved: r.trouble.err == nil, Behind: len(r.queue.entries), Batches: r.counts.batches,
		Failures: r.counts.failures, Lost: r.counts.lost}
	if r.writes && r.head.known {
		s.Index = r.head.behind
	}
	if r.trouble.err != nil {
		s.Why = "messages are not saved: " + inWords(r.trouble.err)
	}
	return s
}

// inWords returns an error for people who do not run the server.
func inWords(err error) string {
	switch {
	case errors.Is(err, store.ErrFull):
		return "the store is full"
	case errors.Is(err, store.ErrInUse), errors.Is(err, store.ErrFenced):
		return "another process writes the store"
	case errors.Is(err, errForeign):
		return "the store has the log of another chat"
	}
	return "the store does not work"
}

// failLocked notes that the store has failed.
func (r *Recorder) failLocked(err error) {
	r.counts.failures++
	t := &r.trouble
	if t.err == nil {
		t.since = time.Now()
		r.options.Logger.Error("not saved: the chat goes on, and what is written now is lost if all instances end",
			"err", err)
	}
	t.err = err
	t.pause = min(max(2*t.pause, firstRetry), maxRetry)
	t.retryAt = time.Now().Add(t.pause)
}

// wellLocked notes that the store works.
func (r *Recorder) wellLocked() {
	t := &r.trouble
	if t.err != nil && !r.due.wanted && r.due.taken == nil {
		r.options.Logger.Info("saved again", "after", time.Since(t.since).Round(time.Millisecond))
		*t = trouble{}
	}
	t.retryAt = time.Time{}
}
