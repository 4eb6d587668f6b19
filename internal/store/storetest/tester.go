package storetest

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"chatapp/internal/store"
)

// tester is a test of one store, and the handles that it has open.
type tester struct {
	*testing.T
	subject Subject
	opened  []store.Store
}

func (u *tester) open() store.Store {
	u.Helper()
	s, err := u.subject.Open()
	if err != nil {
		u.Fatalf("open the store: %v", err)
	}
	u.opened = append(u.opened, s)
	return s
}

// claim opens the store for writing.
func (u *tester) claim() store.Store {
	u.Helper()
	s := u.open()
	if _, err := s.Claim(u.Context()); err != nil {
		u.Fatalf("Claim(): %v", err)
	}
	return s
}

// close ends all processes that have the store open.
func (u *tester) close() {
	for _, s := range u.opened {
		if err := s.Close(); err != nil {
			u.Errorf("Close(): %v", err)
		}
	}
	u.opened = nil
}

func (u *tester) append(s store.Store, b store.Batch) {
	u.Helper()
	if err := s.Append(u.Context(), b); err != nil {
		u.Fatalf("Append() of %d entries and %d lines behind index %d: %v", len(b.Entries), len(b.Lines), b.After, err)
	}
}

func same(a, b store.Line) bool {
	return a.Room == b.Room && a.Seq == b.Seq && a.Index == b.Index && a.Time == b.Time && a.User == b.User &&
		bytes.Equal(a.Body, b.Body)
}

func (u *tester) wantEntries(s store.Reader, after uint64, want ...uint64) {
	u.Helper()
	var got []uint64
	err := s.Entries(u.Context(), after, func(e store.Entry) error {
		got = append(got, e.Index)
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		u.Errorf("Entries(%d) = %v, %v, want %v", after, got, err, want)
	}
}

func (u *tester) wantGone(s store.Reader, after uint64) {
	u.Helper()
	err := s.Entries(u.Context(), after, func(e store.Entry) error {
		u.Errorf("Entries(%d) yields entry %d, want nothing but an error", after, e.Index)
		return nil
	})
	if !errors.Is(err, store.ErrGone) {
		u.Errorf("Entries(%d) = %v, want ErrGone", after, err)
	}
}

func (u *tester) wantCheckpoint(s store.Reader, want *store.Checkpoint) {
	u.Helper()
	got, err := s.Checkpoint(u.Context())
	switch {
	case err != nil || (got == nil) != (want == nil):
		u.Errorf("Checkpoint() = %v, %v, want %v", got, err, want)
	case got != nil && (got.Log != want.Log || got.Index != want.Index || !bytes.Equal(got.Body, want.Body)):
		u.Errorf("Checkpoint() is that at index %d of %v, %d bytes, want index %d of %v, %d bytes",
			got.Index, got.Log, len(got.Body), want.Index, want.Log, len(want.Body))
	}
}

func (u *tester) wantLines(s store.Reader, room string, before uint64, limit int, more bool, want ...uint64) {
	u.Helper()
	page, err := s.Lines(u.Context(), room, before, limit)
	var got []uint64
	for _, line := range page.Lines {
		got = append(got, line.Seq)
		if line.Room != room {
			u.Errorf("Lines(%q) returns a line of %q", room, line.Room)
		}
	}
	if err != nil || !slices.Equal(got, want) || page.More != more {
		u.Errorf("Lines(%q, %d, %d) = %v, more: %v, %v; want %v, more: %v",
			room, before, limit, got, page.More, err, want, more)
	}
}

func (u *tester) wantRooms(s store.Reader, want ...string) {
	u.Helper()
	var got []string
	err := s.Rooms(u.Context(), func(room string) error {
		got = append(got, room)
		return nil
	})
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if err != nil || !slices.Equal(got, want) {
		u.Errorf("Rooms() = %q, %v, want %q", got, err, want)
	}
}
