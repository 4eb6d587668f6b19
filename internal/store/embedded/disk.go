package embedded

import (
	"errors"
	"fmt"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// Names of files: one of these, and a number of 16 hexadecimal digits. Numbers are never used again.
const (
	nameManifest   = "manifest-"
	nameLog        = "log-"
	nameLines      = "lines-"
	nameEntries    = "entries-"
	nameCheckpoint = "checkpoint-"
)

// disk is the folder.
type disk struct{ folder.Folder }

// explain has the error of a file system wrap what the contract says about it.
func explain(err error) error {
	switch {
	case err == nil || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrInUse):
		return err
	case folder.IsFull(err):
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case errors.Is(err, folder.ErrInUse):
		return fmt.Errorf("%w: %w", store.ErrInUse, err)
	}
	return err
}
