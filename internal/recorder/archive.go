package recorder

import (
	"context"
	"time"

	"chatapp/internal/backplane"
)

// Archive is a bus that keeps what is published to all until it is stored.
type Archive interface {
	// Peek calls yield with the bodies of all messages that the archive has, in the order in which they were published,
	// also of those that another process has received and not completed.
	Peek(ctx context.Context, yield func(body []byte) error) error

	// Drain receives messages until ctx ends or it can't go on. take gets each body with a function that completes the
	// message. A message that is not completed comes again after a while.
	Drain(ctx context.Context, take func(body []byte, complete func())) error

	// Usage returns how many bytes the bus holds, and at how many it refuses to take more.
	Usage(ctx context.Context) (used, limit int64, err error)

	// Drop removes a share of the archive's messages, the oldest ones, and returns how many.
	Drop(ctx context.Context, share float64) (messages int, err error)
}

const (
	drainEvery  = 250 * time.Millisecond // how often messages of the archive are completed
	maxArchived = 1 << 14                // messages received and not completed

	// The instance of a message that the log does not know of has died before it joined, or was forgotten.
	// After supersededAfter the message is of no use any more: the log has passed its place.
	supersededAfter = time.Minute
)

// archived is a message that was received from the archive.
type archived struct {
	message  *backplane.Archived
	complete func()
	since    time.Time
	index    uint64 // up to which the log must be stored; 0: the log has not passed the message
}

// readArchive has the node follow what was published and is not stored.
func (r *Recorder) readArchive(ctx context.Context, replay *backplane.Replay) error {
	before := replay.Position().Last().Index
	var bodies [][]byte
	err := r.options.Archive.Peek(ctx, func(body []byte) error {
		bodies = append(bodies, body)
		return nil
	})
	if err != nil {
		return err
	}
	useless, err := replay.Messages(bodies)
	if err != nil {
		return err
	}
	if useless > 0 {
		r.options.Logger.Warn("messages of the archive are no envelopes", "messages", useless)
	}
	if gaps := replay.Bridge(); gaps > 0 {
		r.options.Logger.Error("entries are missing in the archive: what they said is lost", "gaps", gaps)
	}
	r.options.Logger.Info("archive followed", "from", before, "to", replay.Position().Last().Index)
	return nil
}

// drain completes the messages of the archive that are stored, while this process writes the store.
func (r *Recorder) drain(ctx context.Context) {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if !r.drains() {
			continue
		}
		if err := r.drainWhileWriting(ctx); err != nil && ctx.Err() == nil {
			r.options.Logger.Warn("archive not received", "err", err)
		}
	}
}

// drains reports whether this process is to complete messages of the archive.
func (r *Recorder) drains() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes && r.head.claimed && r.head.known && r.trouble.err == nil
}

// drainWhileWriting receives messages of the archive until this process writes no more.
func (r *Recorder) drainWhileWriting(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	taken := make(chan archived) // a drain that is behind holds up the archive
	ended := make(chan error, 1)
	go func() {
		ended <- r.options.Archive.Drain(ctx, func(body []byte, complete func()) {
			message, err := backplane.DecodeArchived(body)
			if err != nil {
				complete() // nobody can use it
				return
			}
			select {
			case taken <- archived{message: message, complete: complete, since: time.Now()}:
			case <-ctx.Done():
			}
		})
	}()
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	var waiting []archived
	for {
		more := taken
		if len(waiting) >= maxArchived {
			more = nil
		}
		select {
		case a := <-more:
			waiting = append(waiting, a)
		case now := <-ticker.C:
			if !r.drains() {
				cancel()
				<-ended
				return nil
			}
			waiting = r.complete(now, waiting)
		case err := <-ended:
			return err
		}
	}
}

// complete completes what is stored of waiting, and returns the rest.
func (r *Recorder) complete(now time.Time, waiting []archived) []archived {
	r.mu.Lock()
	stored := r.head.behind
	r.mu.Unlock()
	rest := waiting[:0]
	for _, a := range waiting {
		if a.index == 0 {
			index, settled, err := r.options.Settled(a.message)
			if err == nil && (settled || now.Sub(a.since) >= supersededAfter) {
				a.index = max(index, 1)
			}
		}
		if a.index > 0 && a.index <= stored {
			a.complete()
		} else {
			rest = append(rest, a)
		}
	}
	clear(waiting[len(rest):])
	return rest
}
