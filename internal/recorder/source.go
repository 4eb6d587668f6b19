package recorder

import (
	"context"
	"fmt"
	"sync"

	"chatapp/internal/store"
)

// source is the store as this process has it open. It is a store.Reader that opens the store when it is read.
type source struct {
	open func() (store.Store, error)

	mu     sync.Mutex // guards store; held while it is opened
	store  store.Store
	closed bool // for good
}

// Reader returns the store for reading. It is valid until Close. Its own Close does nothing.
func (r *Recorder) Reader() store.Reader { return reader{r.source} }

// reader is a source that does not close the store of others.
type reader struct{ *source }

func (reader) Close() error { return nil }

// use returns the open store.
func (s *source) use() (store.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		return s.store, nil
	}
	if s.closed {
		return nil, errClosed
	}
	opened, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s.store = opened
	return opened, nil
}

// with calls f with the open store.
func (s *source) with(f func(store.Store) error) error {
	opened, err := s.use()
	if err != nil {
		return err
	}
	return f(opened)
}

// Close closes the store, which the next use opens again.
func (s *source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := s.store
	if s.store = nil; opened == nil {
		return nil
	}
	return opened.Close()
}

// end closes the store for good.
func (s *source) end() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.Close()
}

func (s *source) Head(ctx context.Context) (head store.Head, err error) {
	err = s.with(func(opened store.Store) error {
		head, err = opened.Head(ctx)
		return err
	})
	return head, err
}

func (s *source) Checkpoint(ctx context.Context) (checkpoint *store.Checkpoint, err error) {
	err = s.with(func(opened store.Store) error {
		checkpoint, err = opened.Checkpoint(ctx)
		return err
	})
	return checkpoint, err
}

func (s *source) Entries(ctx context.Context, after uint64, yield func(store.Entry) error) error {
	return s.with(func(opened store.Store) error { return opened.Entries(ctx, after, yield) })
}

func (s *source) Lines(ctx context.Context, room string, before uint64, limit int) (page store.Page, err error) {
	err = s.with(func(opened store.Store) error {
		page, err = opened.Lines(ctx, room, before, limit)
		return err
	})
	return page, err
}

func (s *source) Rooms(ctx context.Context, yield func(room string) error) error {
	return s.with(func(opened store.Store) error { return opened.Rooms(ctx, yield) })
}
