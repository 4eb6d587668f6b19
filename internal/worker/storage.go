package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"chatapp/internal/chat"
	"chatapp/internal/pause"
	"chatapp/internal/recorder"
	"chatapp/internal/store"
	"chatapp/internal/store/azuretable"
	"chatapp/internal/store/embedded"
)

// storage keeps the log of this instance in a store, so that the chat outlives all instances.
type storage struct {
	recorder *recorder.Recorder
	name     string // of the store, for the log
	log      *slog.Logger

	chat  *chat.Chat    // set once, before run
	every time.Duration // how often the chat is asked what has to go from the store
}

const upkeepEvery = 20 * time.Second

// newStorage returns the storage that the configuration names, or nil if that is none. Where the bus outlives this
// process nobody waits for the store.
func newStorage(config StoreConfig, c *cluster, since func(uint64) []store.Line, log *slog.Logger) *storage {
	name, open := config.opener(log)
	if open == nil {
		log.Warn("no store: when all instances end, everything said is gone", "setting", "STORE")
		return nil
	}
	options := recorder.Options{
		Open:   open,
		Behind: c.kind != kindInProcess,
		Since:  since,
		Logger: log,
	}
	if c.service != nil {
		options.Archive, options.Settled = c.service, c.settled
	}
	return &storage{name: name, log: log, every: upkeepEvery, recorder: recorder.New(options)}
}

// isGiven reports whether the chat is kept anywhere.
func (c StoreConfig) isGiven() bool { return c.Folder != "" || c.Table != TableConfig{} }

// opener returns the store's name and what opens it, or nil if there is none.
func (c StoreConfig) opener(log *slog.Logger) (name string, open func() (store.Store, error)) {
	switch {
	case c.Table != TableConfig{}:
		return "Azure Table Storage", func() (store.Store, error) {
			s, err := azuretable.Open(azuretable.Options{ConnectionString: c.Table.ConnectionString,
				Endpoint: c.Table.Endpoint, Logger: log})
			if err != nil {
				return nil, err
			}
			return s, nil
		}
	case c.Folder != "":
		return c.Folder, func() (store.Store, error) {
			s, err := embedded.Open(c.Folder, embedded.Options{Logger: log})
			if err != nil {
				return nil, err
			}
			return s, nil
		}
	}
	return "", nil
}

// unsaved returns why nothing is saved at present, as a sentence; "" if it is, or if there is no store. It reports
// whether what is accepted now is lost if all instances end.
func (s *storage) unsaved() (why string, atRisk bool) {
	status := s.status()
	return status.Why, status.AtRisk
}

func (s *storage) status() recorder.Status {
	if s == nil {
		return recorder.Status{Saved: true}
	}
	return s.recorder.Status()
}

// run writes what is to be stored, and removes what is to go, until ctx ends.
func (s *storage) run(ctx context.Context) {
	if s == nil {
		return
	}
	var upkeep sync.WaitGroup
	upkeep.Go(func() { s.keepUp(ctx) })
	s.recorder.Run(ctx)
	upkeep.Wait()
}

// keepUp has the store forget what the chat has forgotten. A pass reads the whole store, so the next one comes after
// ten times the time that it has taken.
func (s *storage) keepUp(ctx context.Context) {
	wait := s.every
	for {
		if pause.For(ctx, wait) != nil {
			return
		}
		wait = s.every
		u := s.chat.Upkeep()
		if u.Index == 0 && u.Before.IsZero() {
			continue
		}
		start := time.Now()
		done, err := s.recorder.Upkeep(ctx, recorder.Upkeep(u))
		if err == nil && done {
			err = s.chat.UpkeepDone(u)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("what is to be forgotten is still in the store", "err", err)
		}
		wait = max(s.every, 10*time.Since(start))
	}
}

// close stores what the node has left, and closes the store.
func (s *storage) close(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.recorder.Close(ctx)
}
