package recorder

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"time"

	"chatapp/internal/store"
)

// Upkeep is what has to go from the store.
type Upkeep struct {
	// Lines up to the number Through are changed by Change, and entries of before the log index Index go. Index 0:
	// nothing of that.
	Index, Through uint64
	Change         func(*store.Line) store.Change

	Before time.Time // lines of before go; zero: none
}

// WantCheckpoint makes a checkpoint due, however few entries there are behind the last one.
func (r *Recorder) WantCheckpoint() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due.wanted = r.due.taken == nil
}

// Upkeep removes from the store what has to go. It reports false if that has to wait: because another process writes
// the store, or because the store has not got so far yet, or has no checkpoint from behind the entries that have to go,
// or because the archive still has what was published before it had come so far. A checkpoint is due then if that is
// what is missing. It may be called while the Recorder writes, by one goroutine at a time.
func (r *Recorder) Upkeep(ctx context.Context, u Upkeep) (done bool, err error) {
	r.mu.Lock()
	ready := r.writes && r.head.claimed && r.head.known && r.head.refused == nil
	if ready && u.Index > 0 {
		if r.due.last < u.Index && r.due.taken == nil {
			r.due.wanted = true
		}
		ready = r.due.last >= u.Index && r.head.Seq >= u.Through
	}
	through := r.due.last
	r.mu.Unlock()
	if !ready {
		return false, nil
	}
	if u.Index > 0 {
		if passed, err := r.archivePasses(ctx, u.Index); !passed || err != nil {
			return false, err
		}
	}
	err = r.source.with(func(s store.Store) error {
		if u.Index > 0 {
			if err := s.DropEntries(ctx, through); err != nil {
				return fmt.Errorf("drop entries from the store: %w", err)
			}
			if err := s.Rewrite(ctx, u.Through, u.Change); err != nil {
				return fmt.Errorf("rewrite lines of the store: %w", err)
			}
		}
		if !u.Before.IsZero() {
			if err := s.DropLines(ctx, u.Before); err != nil {
				return fmt.Errorf("drop old lines from the store: %w", err)
			}
		}
		return nil
	})
	return err == nil, err
}

// passing is what the archive had when the store first had an index, and still has. Upkeep's caller owns it.
type passing struct {
	index uint64
	left  map[[sha256.Size]byte]bool // hashes of bodies
}

// archivePasses reports whether the archive has nothing any more that it had when the store first had an index. What
// another process has locked there stays for a while after all of it is stored.
func (r *Recorder) archivePasses(ctx context.Context, index uint64) (bool, error) {
	if r.options.Archive == nil {
		return true, nil
	}
	has := make(map[[sha256.Size]byte]bool)
	err := r.options.Archive.Peek(ctx, func(body []byte) error {
		has[sha256.Sum256(body)] = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look at the archive: %w", err)
	}
	if p := &r.passing; p.index != index {
		*p = passing{index, has}
	} else {
		maps.DeleteFunc(p.left, func(hash [sha256.Size]byte, _ bool) bool { return !has[hash] })
	}
	return len(r.passing.left) == 0, nil
}
