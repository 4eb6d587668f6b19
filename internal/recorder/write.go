package recorder

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/store"
)

// Run writes what is to be stored, and drops entries that a checkpoint contains, until ctx ends. A Recorder that stores
// first only does the latter in it.
func (r *Recorder) Run(ctx context.Context) {
	if r.options.Archive != nil {
		var group sync.WaitGroup
		defer group.Wait()
		group.Go(func() { r.drain(ctx) })
		group.Go(func() { r.watchUsage(ctx) })
	}
	for ctx.Err() == nil {
		var retry <-chan time.Time
		if wait := r.untilRetry(); wait > 0 {
			timer := time.NewTimer(wait)
			retry = timer.C
			select {
			case <-retry:
			case <-ctx.Done():
			}
			timer.Stop()
		} else {
			select {
			case <-r.wake:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		if r.options.Behind {
			r.Write(ctx)
		}
		r.dropEntries(ctx)
	}
}

// untilRetry is how long to wait after a failure.
func (r *Recorder) untilRetry() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trouble.retryAt.IsZero() {
		return 0
	}
	return time.Until(r.trouble.retryAt)
}

// Write stores what waits, unless another process writes or the store fails. Calls don't overlap.
func (r *Recorder) Write(ctx context.Context) {
	for {
		more, err := r.step(ctx)
		if err != nil && ctx.Err() == nil {
			r.mu.Lock()
			r.failLocked(err)
			r.mu.Unlock()
		}
		if err != nil || !more {
			return
		}
	}
}

// step stores one batch. It reports whether there may be more to store.
func (r *Recorder) step(parent context.Context) (more bool, err error) {
	r.mu.Lock()
	idle := !r.writes && !r.release
	r.mu.Unlock()
	if idle {
		return false, nil // the usual case of all instances but one, without a timer
	}
	ctx, cancel := context.WithTimeout(parent, storeTimeout)
	defer cancel()
	if ready, err := r.prepare(ctx); !ready || err != nil {
		return false, err
	}
	r.mu.Lock()
	b := r.batchLocked()
	r.mu.Unlock()
	if b == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wellLocked(true)
		return false, nil
	}
	err = r.source.with(func(s store.Store) error { return s.Append(ctx, *b) })
	r.mu.Lock()
	if err != nil {
		defer r.mu.Unlock()
		r.head.known = false // it may be stored, or not
		switch {
		case errors.Is(err, store.ErrFenced):
			r.head.claimed = false
			if !r.options.Behind {
				r.head.refused = err
			}
		case errors.Is(err, store.ErrGap):
			r.due.wanted = r.due.taken == nil
		}
		return false, fmt.Errorf("append to the store: %w", err)
	}
	defer r.mu.Unlock()
	r.appendedLocked(b)
	r.wellLocked(false)
	return true, nil
}

// dropEntries drops from the store the entries that are in the checkpoint before the last one. Nobody waits for that:
// a store may write its files again, which takes hundreds of milliseconds. The next checkpoint makes up for an error.
func (r *Recorder) dropEntries(parent context.Context) {
	r.mu.Lock()
	through, claimed := r.due.drop, r.head.claimed
	r.due.drop = 0
	r.mu.Unlock()
	if through == 0 || !claimed {
		return
	}
	ctx, cancel := context.WithTimeout(parent, storeTimeout)
	defer cancel()
	err := r.source.with(func(s store.Store) error { return s.DropEntries(ctx, through) })
	if err != nil && parent.Err() == nil {
		r.options.Logger.Warn("entries that a checkpoint contains not dropped from the store", "err", err)
	}
}

// prepare claims the store, unless that is done, and finds out where to go on. It reports false if this process does
// not write.
func (r *Recorder) prepare(ctx context.Context) (bool, error) {
	r.mu.Lock()
	release := r.release
	r.release = false
	writes, claimed, known, refused, at := r.writes, r.head.claimed, r.head.known, r.head.refused, r.at
	r.mu.Unlock()
	if release {
		if err := r.source.Close(); err != nil {
			r.options.Logger.Warn("store not closed in order", "err", err)
		}
	}
	switch {
	case !writes:
		return false, nil
	case refused != nil:
		return false, refused
	case !claimed:
		if err := r.claim(ctx); err != nil {
			return false, err
		}
	case !known:
		head, err := r.source.Head(ctx)
		if err != nil {
			return false, fmt.Errorf("read the head of the store: %w", err)
		}
		r.mu.Lock()
		r.head.Head = head
		r.mu.Unlock()
	}
	r.mu.Lock()
	head, known := r.head.Head, r.head.known
	r.mu.Unlock()
	if known {
		return true, nil
	}
	behind, err := r.branch(ctx, head, at)
	if errors.Is(err, errOvertaken) {
		r.mu.Lock()
		r.head.claimed, r.head.refused = false, err
		r.mu.Unlock()
		return false, errors.Join(err, r.source.Close()) // so that another process can write
	}
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head.known, r.head.behind = true, behind
	return true, nil
}

// claim makes this process the writer.
func (r *Recorder) claim(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, storeTimeout)
	defer cancel()
	var head store.Head
	err := r.source.with(func(s store.Store) (err error) {
		head, err = s.Claim(ctx)
		return err
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("claim the store: %w", err)
	}
	r.head.claimed, r.head.known, r.head.Head = true, false, head
	return nil
}

var (
	errForeign = errors.New("the store has the log of another chat: empty it, or set another one")

	errOvertaken = errors.New("another process has stored more since this one read the store: start this one again, " +
		"and it goes on behind that")
)

// branch returns the index up to which the store has the log that the state follows, and behind which it is written on.
// Where a bus joins the instances, what the store has more than that is of a log that has lost. Without one it is
// another process's, whose clients were told that it is saved.
func (r *Recorder) branch(ctx context.Context, head store.Head, at backplane.Lineage) (uint64, error) {
	index, err := r.common(ctx, head, at)
	switch {
	case !r.options.Behind && (errors.Is(err, errForeign) || err == nil && index < head.Index):
		return 0, errOvertaken
	case err == nil && index < head.Index:
		r.options.Logger.Warn("store rewound: its log has lost against another one", "index", index, "from", head.Index)
	}
	return index, err
}

// common returns the index up to which the store and the state have the same log. Where the store has more of it than
// the state, another instance has written it, and this one is late: it writes on when it has come so far.
func (r *Recorder) common(ctx context.Context, head store.Head, at backplane.Lineage) (uint64, error) {
	if head.Index == 0 {
		return 0, nil
	}
	for n, b := range at {
		switch {
		case store.LogID(b.Log) != head.Log:
		case n == len(at)-1:
			return head.Index, nil
		default:
			return min(b.Index, head.Index), nil
		}
	}
	if len(at) == 0 {
		return 0, errors.New("this instance has no state yet")
	}
	stored, err := r.lineage(ctx, head)
	if err != nil {
		return 0, fmt.Errorf("read the history of the store: %w", err)
	}
	if common, ok := stored.Common(at); ok {
		return common.Index, nil
	}
	return 0, errForeign
}

// lineage reads the history of the state in the store.
func (r *Recorder) lineage(ctx context.Context, head store.Head) (backplane.Lineage, error) {
	checkpoint, err := r.source.Checkpoint(ctx)
	if err != nil || checkpoint == nil {
		return nil, err
	}
	l, err := backplane.CheckpointLineage(checkpoint.Body)
	if err != nil {
		return nil, err
	}
	err = r.source.Entries(ctx, checkpoint.Index, func(e store.Entry) error {
		if log, begins := backplane.BeginsLog(e.Body); begins {
			l[len(l)-1].Index = e.Index - 1
			l = append(l, backplane.Branch{Log: log})
		}
		return nil
	})
	if len(l) > 0 {
		l[len(l)-1].Index = head.Index
	}
	return l, err
}

// batchLocked returns what is to be stored next, or nil. It may want a checkpoint instead.
func (r *Recorder) batchLocked() *store.Batch {
	behind := r.head.behind
	entries, all := r.queue.from(behind)
	if c := r.due.taken; c != nil {
		b := &store.Batch{Log: c.Log, After: behind, Checkpoint: c}
		switch {
		case c.Index < behind: // of a time before the last batch
			r.due.taken, r.due.wanted = nil, true
			return nil
		case all && uint64(len(entries)) >= c.Index-behind:
			b.Entries = stored(entries[:c.Index-behind])
		}
		b.Lines = r.linesLocked(c.Index)
		return b
	}
	if !all || r.due.last == 0 && r.head.Index == 0 {
		r.due.wanted = true
		return nil
	}
	if len(entries) == 0 {
		return r.lateLinesLocked(behind)
	}
	b := &store.Batch{Log: store.LogID(entries[0].Log), After: behind}
	bytes, n := 0, 0
	for ; n < len(entries) && entries[n].Log == entries[0].Log && bytes < batchBytes; n++ {
		if r.options.Behind && entries[n].Index > r.applied {
			break
		}
		bytes += len(entries[n].Body)
	}
	if n == 0 {
		return nil
	}
	b.Entries = stored(entries[:n])
	b.Lines = r.linesLocked(b.Last())
	return b
}

// lateLinesLocked returns a batch of the lines whose entries are stored, or nil.
func (r *Recorder) lateLinesLocked(behind uint64) *store.Batch {
	lines := r.linesLocked(behind)
	if len(lines) == 0 {
		return nil
	}
	return &store.Batch{Log: r.head.Log, After: behind, Lines: lines}
}

// linesLocked returns the lines of entries up to an index that the store does not have.
func (r *Recorder) linesLocked(index uint64) []store.Line {
	lines := r.queue.linesUpTo(index)
	for len(lines) > 0 && lines[0].Seq <= r.head.Seq && r.head.behind >= r.head.Index {
		lines = lines[1:]
	}
	for len(lines) > 0 && r.head.behind < r.head.Index && lines[0].Index <= r.head.behind {
		lines = lines[1:]
	}
	return lines
}

func stored(entries []backplane.Recorded) []store.Entry {
	all := make([]store.Entry, len(entries))
	for i, e := range entries {
		all[i] = store.Entry{Index: e.Index, Body: e.Body}
	}
	return all
}

// appendedLocked takes note of a batch that is stored.
func (r *Recorder) appendedLocked(b *store.Batch) {
	if b.After < r.head.Index && len(b.Lines) == 0 {
		r.head.known = false // the store knows which lines are left
	}
	r.head.Log, r.head.Index, r.head.behind = b.Log, b.Last(), b.Last()
	if n := len(b.Lines); n > 0 {
		r.head.Seq = b.Lines[n-1].Seq
	}
	r.queue.trimTo(r.head.Index, r.head.Seq)
	r.counts.batches++
	r.due.entries += len(b.Entries)
	for _, e := range b.Entries {
		r.due.bytes += len(e.Body)
	}
	if b.Checkpoint != nil {
		if r.due.drop = r.due.last; r.due.drop > 0 {
			r.wakeUp()
		}
		r.due.last, r.due.entries, r.due.bytes = b.Checkpoint.Index, 0, 0
		if r.due.taken == b.Checkpoint {
			r.due.taken = nil
		}
	} else if r.due.entries >= r.options.CheckpointEntries || r.due.bytes >= r.options.CheckpointBytes {
		r.due.wanted = true
	}
}

// Close stores what a Recorder that stores first still has, and closes the store. The node has ended.
func (r *Recorder) Close(ctx context.Context) error {
	if !r.options.Behind {
		r.Write(ctx)
	}
	if err := r.source.end(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}
