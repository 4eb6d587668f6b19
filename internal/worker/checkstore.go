package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/store"
)

// checkStoreTimeout bounds how long a store is looked at.
const checkStoreTimeout = time.Minute

// checkStore says what the store of the settings has, by reading all that a start reads. It changes nothing: a folder
// that is not there is not made.
func checkStore(parent context.Context, c StoreConfig, log *slog.Logger) (found string, err error) {
	ctx, cancel := context.WithTimeout(parent, checkStoreTimeout)
	defer cancel()
	name, open := c.opener(log)
	if open == nil {
		return "none: when all instances end, everything said is gone", nil
	}
	if c.Folder != "" {
		if _, err := os.Stat(c.Folder); errors.Is(err, fs.ErrNotExist) {
			return name + ": not there yet, the first start makes it", nil
		}
	}
	s, err := open()
	if err != nil {
		return "", err
	}
	found, err = describeStore(ctx, s)
	return name + ": " + found, errors.Join(err, s.Close())
}

func describeStore(ctx context.Context, s store.Reader) (found string, err error) {
	head, err := s.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("read the head of the store: %w", err)
	}
	if head.Index == 0 {
		return "empty", nil
	}
	checkpoint, err := s.Checkpoint(ctx)
	if err != nil {
		return "", fmt.Errorf("read the checkpoint of the store: %w", err)
	}
	if checkpoint == nil {
		return "", fmt.Errorf("the store has a log up to entry %d and no checkpoint", head.Index)
	}
	if _, err := backplane.CheckpointLineage(checkpoint.Body); err != nil {
		return "", fmt.Errorf("read the checkpoint of the store: %w", err)
	}
	entries := 0
	if err := s.Entries(ctx, checkpoint.Index, func(store.Entry) error { entries++; return nil }); err != nil {
		return "", fmt.Errorf("read the entries of the store: %w", err)
	}
	return fmt.Sprintf("log up to entry %d, history up to line %d; a start reads a checkpoint of %d bytes and the %d "+
		"entries behind it", head.Index, head.Seq, len(checkpoint.Body), entries), nil
}
