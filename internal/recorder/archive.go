package recorder

import (
	"context"

	"chatapp/internal/backplane"
)

// Archive is a bus that keeps what is published to all until it is stored.
type Archive interface {
	// Peek calls yield with the bodies of all messages that the archive has, in the order in which they were published,
	// also of those that another process has received and not completed.
	Peek(ctx context.Context, yield func(body []byte) error) error
}

// readArchive has the node follow what was published and is not stored.
func (r *Recorder) readArchive(ctx context.Context, replay *backplane.Replay) error {
	before := replay.Position().Last().Index
	err := r.options.Archive.Peek(ctx, func(body []byte) error {
		if err := replay.Message(body); err != nil {
			r.options.Logger.Warn("message of the archive is of no use", "err", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if gaps := replay.Bridge(); gaps > 0 {
		r.options.Logger.Error("entries are missing in the archive: what they said is lost", "gaps", gaps)
	}
	r.options.Logger.Info("archive followed", "from", before, "to", replay.Position().Last().Index)
	return nil
}
