package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/store"
)

// Options adjust a Recorder. Open is required; zero fields take the defaults named.
type Options struct {
	// Open opens the store. It is called when the store is first needed, again after an error, and after this process
	// has closed it because another one is to write it.
	Open func() (store.Store, error)

	// Behind says that something else keeps the entries until they are stored, so that nobody waits for that. False:
	// entries are stored before they are applied.
	Behind bool

	// Archive is what keeps them then; nil: nothing does. Settled is backplane.Node.Settled, which must be set with it.
	Archive Archive
	Settled func(*backplane.Archived) (index uint64, settled bool, err error)

	// Since returns the lines behind a number that the state still has, ascending; their indexes don't matter. It is
	// called on the node's loop. The Recorder asks where it has missed lines. Nil: they stay missing.
	Since func(seq uint64) []store.Line

	// Memory bounds the entries and lines that are kept until they are stored, in bytes; 64 MiB. Beyond it the oldest
	// go: a checkpoint takes the place of entries, and lines are lost to the store.
	Memory int

	// A checkpoint is due behind this many entries, or bytes of them; 50,000 and 16 MiB.
	CheckpointEntries, CheckpointBytes int

	Logger *slog.Logger // nil: discards
}

// Times of writing.
const (
	storeTimeout = 10 * time.Second // of one call of the store
	firstRetry   = time.Second      // after a failure; it doubles with each further one
	maxRetry     = 30 * time.Second
)

// batchBytes is how much one batch has, about.
const batchBytes = 1 << 20

// Recorder is a backplane.Recorder that keeps a node's log in a store. New makes it.
type Recorder struct {
	options Options
	wake    chan struct{} // size 1: there may be something to write
	source  *source

	mu sync.Mutex
	// mu guards
	queue   queue
	at      backplane.Lineage // of the state, as last heard; the last index may be older than the queue's
	applied uint64            // index up to which the state machine has applied, so that all lines are known
	writes  bool              // this process is to write
	head    head
	release bool // another process is to write: the store is to be closed
	due     dueCheckpoint
	trouble trouble
	full    fullness
	told    backplane.Trouble // of the store, as another process says that writes it
	counts  counts

	passing passing // Upkeep's caller owns it
}

// head is what is known of the store.
type head struct {
	store.Head
	claimed bool
	known   bool   // Head is the store's, and behind is set
	behind  uint64 // index behind which the next batch goes
	refused error  // why this process never writes; nil: it does
}

// dueCheckpoint is the checkpoint that is wanted, or waits to be stored.
type dueCheckpoint struct {
	wanted  bool
	taken   *store.Checkpoint // nil: none waits
	lineage backplane.Lineage // of taken
	entries int               // stored since the last one
	bytes   int               // of them
	last    uint64            // index of the last one stored
	drop    uint64            // index up to which entries are to be dropped; 0: none
}

// New returns a recorder that has done nothing yet.
func New(o Options) *Recorder {
	if o.Memory <= 0 {
		o.Memory = 64 << 20
	}
	if o.CheckpointEntries <= 0 {
		o.CheckpointEntries = 50_000
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Recorder{options: o, wake: make(chan struct{}, 1), source: &source{open: o.Open}, writes: !o.Behind}
}

// Load implements backplane.Recorder.
func (r *Recorder) Load(ctx context.Context, replay *backplane.Replay) error {
	if !r.options.Behind {
		if err := r.claim(ctx); err != nil { // which does not prevent reading
			r.mu.Lock()
			r.failLocked(err)
			r.mu.Unlock()
		}
	}
	head, err := r.source.Head(ctx)
	if err != nil {
		return inNodesWords(fmt.Errorf("read the store: %w", err))
	}
	r.mu.Lock()
	r.queue = queue{}
	r.head.Head = head
	r.mu.Unlock()
	if head.Index > 0 {
		if err := r.replay(ctx, replay, head); err != nil {
			return inNodesWords(fmt.Errorf("read the store: %w", err))
		}
	}
	r.mu.Lock()
	r.at, r.applied = replay.Position(), replay.Position().Last().Index
	r.head.known, r.head.behind = true, head.Index
	r.mu.Unlock()
	if r.options.Archive != nil && head.Index > 0 {
		return r.readArchive(ctx, replay)
	}
	return nil
}

// replay has the node apply what the store has.
func (r *Recorder) replay(ctx context.Context, replay *backplane.Replay, head store.Head) error {
	checkpoint, err := r.source.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if checkpoint == nil {
		return fmt.Errorf("it has a log up to index %d and no checkpoint: %w", head.Index, store.ErrCorrupt)
	}
	if err := replay.Checkpoint(checkpoint.Body); err != nil {
		return err
	}
	entries, bytes := 0, 0
	err = r.source.Entries(ctx, checkpoint.Index, func(e store.Entry) error {
		entries++
		bytes += len(e.Body)
		return replay.Entry(e.Index, e.Body)
	})
	if err != nil {
		return err
	}
	at := replay.Position().Last().Index
	if now, err := r.source.Head(ctx); err == nil && now.Index != head.Index {
		return fmt.Errorf("another instance has stored up to index %d while this one read up to %d", now.Index, at)
	}
	if at != head.Index {
		return fmt.Errorf("its entries end at index %d, its head is at %d: %w", at, head.Index, store.ErrCorrupt)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due.entries, r.due.bytes, r.due.last = entries, bytes, checkpoint.Index
	return nil
}

// inNodesWords says in the node's words that a newer version of this program is needed.
func inNodesWords(err error) error {
	if errors.Is(err, store.ErrVersion) {
		return fmt.Errorf("%w: %w", err, backplane.ErrVersion)
	}
	return err
}

// Record implements backplane.Recorder.
func (r *Recorder) Record(entries []backplane.Recorded) {
	r.mu.Lock()
	r.applied = max(r.applied, r.queue.last())
	r.queue.push(entries)
	if r.queue.bytes > r.options.Memory {
		r.counts.lost += r.queue.shrink(r.options.Memory)
	}
	inline := !r.options.Behind && r.trouble.retryAt.IsZero()
	r.mu.Unlock()
	if inline {
		r.Write(context.Background())
		return
	}
	r.wakeUp()
}

// Lines takes the lines that an entry has led to. The state machine calls it while it applies the entry, also again
// when the entry is loaded.
func (r *Recorder) Lines(lines []store.Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lines {
		if l.Seq > r.queue.lastLine() && (l.Seq > r.head.Seq || l.Index > r.head.Index) {
			r.queue.pushLine(l)
		}
	}
}

// Jump implements backplane.Recorder.
func (r *Recorder) Jump(at backplane.Lineage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = queue{}
	r.at, r.applied = at, at.Last().Index
	r.head.known = false
	r.due.taken, r.due.wanted = nil, false
}

// Tick implements backplane.Recorder.
func (r *Recorder) Tick(now time.Time, s backplane.Standing) backplane.Keeping {
	r.mu.Lock()
	if len(s.At) > 0 && s.InSync {
		r.at = s.At
		r.applied = max(r.applied, s.At.Last().Index)
	}
	if r.options.Behind {
		if !r.writes && s.Archivist {
			r.full.dropped = s.Told.Trouble == backplane.AtRisk && r.options.Archive != nil // by the one before
		}
		r.told = s.Told.Trouble
		if r.writes = s.Archivist; !r.writes {
			r.release = r.release || r.head.claimed
			r.head.claimed, r.head.known = false, false
			r.queue.trim(s.Told.Kept)
			r.trouble, r.full = trouble{}, fullness{}
		}
	}
	inline := !r.options.Behind && s.InSync && (r.trouble.retryAt.IsZero() || !now.Before(r.trouble.retryAt))
	keeping := r.keepingLocked()
	r.mu.Unlock()
	if inline {
		r.Write(context.Background())
	} else {
		r.wakeUp()
	}
	return keeping
}

// Due implements backplane.Recorder.
func (r *Recorder) Due() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.due.wanted && r.due.taken == nil
}

// Checkpoint implements backplane.Recorder.
func (r *Recorder) Checkpoint(at backplane.Lineage, body []byte, err error) {
	if err != nil {
		r.options.Logger.Error("checkpoint can't be stored", "err", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failLocked(err)
		return
	}
	last := at.Last()
	r.mu.Lock()
	r.at, r.applied = at, last.Index
	missed := r.options.Since != nil && r.queue.missesLines(r.head.Head)
	seq := r.head.Seq
	r.mu.Unlock()
	var lines []store.Line
	if missed {
		lines = r.options.Since(seq)
		for i := range lines {
			lines[i].Index = last.Index
		}
	}
	r.mu.Lock()
	r.queue.fill(lines)
	r.due.wanted = false
	r.due.lineage = at
	r.due.taken = &store.Checkpoint{Log: store.LogID(last.Log), Index: last.Index, Body: body}
	inline := !r.options.Behind
	r.mu.Unlock()
	if inline {
		r.Write(context.Background())
	} else {
		r.wakeUp()
	}
}

func (r *Recorder) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
