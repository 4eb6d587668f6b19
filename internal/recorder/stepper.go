package recorder

import (
	"context"
	"time"

	"chatapp/internal/backplane"
)

// Stepper runs a Recorder step by step on its caller's goroutine, in place of Recorder.Run. It is for simulations, and
// not safe for concurrent use.
type Stepper struct {
	recorder *Recorder
	waiting  []archived
}

// NewStepper returns a Stepper of a Recorder, of which the caller must not call Run.
func NewStepper(r *Recorder) *Stepper { return &Stepper{recorder: r} }

// Write stores what waits, unless the store has failed a short time ago, and drops entries that a checkpoint contains.
// With a Recorder that stores first it only does the latter.
func (s *Stepper) Write(ctx context.Context) {
	if s.recorder.options.Behind && s.recorder.untilRetry() <= 0 {
		s.recorder.Write(ctx)
	}
	s.recorder.dropEntries(ctx)
}

// Drains reports whether messages of the archive are to be given to Take. If it does not, those that Take was given
// are forgotten: they come again.
func (s *Stepper) Drains() bool {
	if s.recorder.drains() {
		return true
	}
	s.waiting = nil
	return false
}

// Take takes a message of the archive, as Archive.Drain gives it.
func (s *Stepper) Take(body []byte, complete func()) {
	message, err := backplane.DecodeArchived(body)
	if err != nil {
		complete() // nobody can use it
		return
	}
	s.waiting = append(s.waiting, archived{message: message, complete: complete, since: time.Now()})
}

// Complete completes the messages that are stored. It is called now and then.
func (s *Stepper) Complete() { s.waiting = s.recorder.complete(time.Now(), s.waiting) }
