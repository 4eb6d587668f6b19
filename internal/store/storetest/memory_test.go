package storetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/store"
	"chatapp/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		m := storetest.NewMemory(1)
		return storetest.Subject{Open: func() (store.Store, error) { return m.Open(), nil }}
	})
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		faults storetest.Faults
		full   bool
		stored uint64
	}{
		"refuse":      {storetest.Faults{Refuse: 1}, false, 0},
		"full":        {storetest.Faults{Full: 1}, true, 0},
		"lose answer": {storetest.Faults{LoseAnswer: 1}, false, 1},
	} {
		m := storetest.NewMemory(1)
		s := m.Open()
		if _, err := s.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.SetFaults(test.faults)
		err := s.Append(t.Context(), store.Batch{Entries: []store.Entry{{Index: 1}}})
		if !errors.Is(err, storetest.ErrFault) || errors.Is(err, store.ErrFull) != test.full {
			t.Errorf("%s: Append() = %v, want the fault, of a full store: %v", name, err, test.full)
		}
		m.SetFaults(storetest.Faults{})
		if head, err := s.Head(t.Context()); err != nil || head.Index != test.stored {
			t.Errorf("%s: Head() = %+v, %v, want index %d", name, head, err, test.stored)
		}
	}
}

// A writer that hangs in a call, and goes on once another has claimed the store, harms nothing.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewMemory(1)
		m.SetFaults(storetest.Faults{Time: time.Second})
		late, s := m.Open(), m.Open()
		if _, err := late.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.Stall(true)
		done := make(chan error)
		go func() { done <- late.Append(context.Background(), store.Batch{Entries: []store.Entry{{Index: 1}}}) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Claim(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Claim() of a stalled store = %v, want it to hang", err)
		}
		select {
		case err := <-done:
			t.Errorf("Append() to a stalled store = %v, want it to hang", err)
		default:
		}
		m.Stall(false)
		<-done
		if _, err := s.Claim(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := late.Append(t.Context(), store.Batch{Entries: []store.Entry{{Index: 1}}})
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("Append() of the late writer = %v, want ErrFenced", err)
		}
	})
}
