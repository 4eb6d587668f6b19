package recorder

import (
	"errors"
	"time"

	"chatapp/internal/backplane"
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
	dropped  uint64 // messages of the archive, likewise
}

// Status says how saving goes.
type Status struct {
	Writes bool   // this process writes the store
	Saved  bool   // what is accepted is stored, or will be in a moment
	Why    string // if not: the reason as a sentence
	AtRisk bool   // what is accepted now is lost if all instances end; false: the bus keeps what the store lacks
	Index  uint64 // up to which everything is stored, if this process writes
	Behind int    // entries that wait to be stored

	Batches  uint64 // stored
	Failures uint64 // calls of the store that failed
	Lost     uint64 // lines that were dropped before they were stored
	Dropped  uint64 // messages of the archive that were dropped before they were stored
}

var errClosed = errors.New("the store is closed")

// Status returns how saving goes at present.
func (r *Recorder) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{Writes: r.writes, Behind: len(r.queue.entries), Batches: r.counts.batches,
		Failures: r.counts.failures, Lost: r.counts.lost, Dropped: r.counts.dropped}
	if r.writes && r.head.known {
		s.Index = r.head.behind
	}
	trouble, why := r.told, "the store does not work"
	if r.writes {
		trouble = r.keepingLocked().Trouble
	}
	if r.trouble.err != nil {
		why = inWords(r.trouble.err)
	}
	s.Saved, s.AtRisk = trouble == backplane.NoTrouble, trouble == backplane.AtRisk
	switch {
	case trouble == backplane.Delayed:
		s.Why = why + ": messages wait on the bus meanwhile"
	case s.AtRisk && r.options.Archive != nil:
		s.Why = "messages are not saved: " + why + ", and the bus has no more room to keep them"
	case s.AtRisk:
		s.Why = "messages are not saved: " + why
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
	case errors.Is(err, errOvertaken):
		return "another process has written the store, and this one has to be started again"
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
		if r.options.Archive == nil {
			r.options.Logger.Error("not saved: the chat goes on, and what is written now is lost if all instances end",
				"err", err)
		} else {
			r.options.Logger.Error("store does not work: the chat goes on, and the bus keeps what is written meanwhile",
				"err", err)
		}
	}
	t.err = err
	t.pause = min(max(2*t.pause, firstRetry), maxRetry)
	t.retryAt = time.Now().Add(t.pause)
}

// wellLocked notes that the store works. all says that it has everything.
func (r *Recorder) wellLocked(all bool) {
	t := &r.trouble
	if t.err != nil && !r.due.wanted && r.due.taken == nil {
		r.options.Logger.Info("saved again", "after", time.Since(t.since).Round(time.Millisecond))
		*t = trouble{}
	}
	if r.full.dropped && all && !r.due.wanted && r.due.taken == nil {
		r.options.Logger.Info("store has all that was dropped from the bus", "messages", r.counts.dropped)
		r.full.dropped = false
	}
	t.retryAt = time.Time{}
}
