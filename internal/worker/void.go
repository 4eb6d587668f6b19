package worker

import (
	"errors"
	"log/slog"
	"sync"

	"chatapp/internal/backplane"
	"chatapp/internal/chat"
)

// void is the entry of the store that this worker skips while it starts, because the operator says so. The nil *void is
// none. What the worker has made of the store's log becomes a checkpoint, so that later starts do without.
type void struct {
	index uint64
	log   *slog.Logger

	mu      sync.Mutex
	skipped bool // guarded by mu
	over    bool // guarded by mu: the start
}

var errVoid = errors.New("skipped by hand")

// newVoid returns the entry with a log index; nil for 0.
func newVoid(index uint64, log *slog.Logger) *void {
	if index == 0 {
		return nil
	}
	return &void{index: index, log: log}
}

// is reports whether an entry is to be skipped.
func (v *void) is(e backplane.Entry) bool {
	if v == nil || e.Index != v.index {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.skipped = !v.over
	return v.skipped
}

// end says that the store was read, and reports whether the entry was skipped.
func (v *void) end() bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	first := !v.over
	v.over = true
	if first && !v.skipped {
		v.log.Error("no entry skipped: the store has none with this index behind its checkpoint", "index", v.index)
	}
	return first && v.skipped
}

// apply skips the entry that is void.
func (v *void) apply(c *chat.Chat, e backplane.Entry) (skipped bool, err error) {
	if !v.is(e) {
		return false, nil
	}
	c.Skip(chat.Entry(e))
	return true, errVoid
}
