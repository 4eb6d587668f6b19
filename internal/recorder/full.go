package recorder

import (
	"context"
	"time"

	"chatapp/internal/backplane"
)

// While the store is down, the bus keeps what the store lacks. A bus that is full refuses all that is sent, which would
// end the chat. So beyond fullShare of what the bus takes the oldest of it go, until freeShare is left.
const (
	usageEvery = time.Minute // how often the bus is asked how full it is, while the store is behind
	fullShare  = .80
	freeShare  = .75
)

// fullness is how the store's being behind fills the bus.
type fullness struct {
	awaited uint64 // index that is to be stored before the bus is asked the next time
	stored  uint64 // index up to which everything was stored, when that was last known
	dropped bool   // what the bus had kept went, and the store still lacks it
	unknown bool   // the bus did not say how full it is; logged once
}

// watchUsage keeps the bus from being filled by what the store lacks, while this process writes the store.
func (r *Recorder) watchUsage(ctx context.Context) {
	ticker := time.NewTicker(usageEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if r.isBehind() {
			r.makeRoom(ctx)
		}
	}
}

// isBehind reports whether the store lacks what was accepted before the last call.
func (r *Recorder) isBehind() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.full
	if !r.writes {
		f.awaited = 0
		return false
	}
	if r.head.known {
		f.stored = r.head.behind
	}
	behind := f.awaited > f.stored
	f.awaited = r.applied
	return behind
}

// makeRoom drops the oldest messages of the archive if the bus is nearly full.
func (r *Recorder) makeRoom(ctx context.Context) {
	used, limit, err := r.options.Archive.Usage(ctx)
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	unknown, dropped := r.full.unknown, r.full.dropped
	r.full.unknown = err != nil
	r.mu.Unlock()
	if err != nil {
		if !unknown {
			r.options.Logger.Warn("bus does not say how full it is: it may become full before the store works again",
				"err", err)
		}
		return
	}
	if float64(used) < fullShare*float64(limit) {
		return
	}
	r.mu.Lock()
	r.full.dropped = true // from now on, also if nothing can be dropped
	r.mu.Unlock()
	if !dropped {
		r.options.Logger.Error("bus is nearly full of what the store lacks: the oldest of it go, and are lost if all "+
			"instances end before the store works again", "bytes", used, "limit", limit)
	}
	messages, err := r.options.Archive.Drop(ctx, 1-freeShare*float64(limit)/float64(used))
	r.mu.Lock()
	r.counts.dropped += uint64(messages)
	r.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		r.options.Logger.Warn("messages not dropped from the archive", "err", err)
	}
}

// keepingLocked is how far this process has come. It does not say what is stored if another one writes.
func (r *Recorder) keepingLocked() (k backplane.Keeping) {
	k.Whole = r.options.Archive != nil && r.told != backplane.AtRisk && !r.full.dropped
	if !r.writes {
		return k
	}
	if r.head.claimed && r.head.known {
		k.Kept = r.head.behind
	}
	switch {
	case r.full.dropped, r.trouble.err != nil && r.options.Archive == nil:
		k.Trouble = backplane.AtRisk
	case r.trouble.err != nil:
		k.Trouble = backplane.Delayed
	}
	return k
}
