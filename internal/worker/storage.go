package worker

import (
	"context"
	"log/slog"

	"chatapp/internal/recorder"
	"chatapp/internal/store"
	"chatapp/internal/store/embedded"
)

// storage keeps the log of this instance in a store, so that the chat outlives all instances.
type storage struct {
	recorder *recorder.Recorder
	name     string // of the store, for the log
}

// newStorage returns the storage that the configuration names, or nil if that is none. behind says that the bus keeps
// what is published, so that nobody waits for the store.
func newStorage(config StoreConfig, behind bool, since func(uint64) []store.Line, log *slog.Logger) *storage {
	if config.Folder == "" {
		log.Warn("no store: when all instances end, everything said is gone", "setting", "STORE")
		return nil
	}
	return &storage{
		name: config.Folder,
		recorder: recorder.New(recorder.Options{
			Open: func() (store.Store, error) {
				return embedded.Open(config.Folder, embedded.Options{Logger: log})
			},
			Behind: behind,
			Since:  since,
			Logger: log,
		}),
	}
}

// unsaved returns why nothing is saved at present, as a sentence; "" if it is, or if there is no store.
func (s *storage) unsaved() string {
	if s == nil {
		return ""
	}
	return s.recorder.Status().Why
}

func (s *storage) status() recorder.Status {
	if s == nil {
		return recorder.Status{Saved: true}
	}
	return s.recorder.Status()
}

// run writes what is to be stored until ctx ends.
func (s *storage) run(ctx context.Context) {
	if s != nil {
		s.recorder.Run(ctx)
	}
}

// close stores what the node has left, and closes the store.
func (s *storage) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.recorder.Close(ctx)
}
