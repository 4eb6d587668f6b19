package backplanetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// A topic keeps the contract without faults, and with the faults that the contract allows.
func TestContract(t *testing.T) {
	for name, faults := range map[string]backplanetest.Faults{
		"perfect": {},
		"delays and repeats": {
			Repeat: 0.3, Redeliver: 0.3,
			PublishTime: 3 * time.Millisecond, DeliverTime: 3 * time.Millisecond,
		},
	} {
		t.Run(name, func(t *testing.T) {
			backplanetest.Run(t, func(t *testing.T, names ...string) []backplane.Bus {
				topic := backplanetest.NewTopic(1, 0)
				topic.SetFaults(faults)
				var buses []backplane.Bus
				for _, name := range names {
					buses = append(buses, topic.Join(name))
				}
				return buses
			})
		})
	}
}

// collector collects what a bus delivers, on a goroutine of its own.
type collector struct {
	got  []string
	err  error
	stop func()
}

func collect(bus *backplanetest.Bus) *collector {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c := &collector{}
	go func() {
		defer close(done)
		c.err = bus.Receive(ctx, func(body []byte, _ time.Time) error {
			c.got = append(c.got, string(body))
			return nil
		})
	}()
	c.stop = func() { cancel(); <-done }
	return c
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults backplanetest.Faults
		err    bool
		busy   bool
		got    []string
	}{
		{"none", backplanetest.Faults{}, false, false, []string{"x"}},
		{"refuse", backplanetest.Faults{Refuse: 1}, true, false, nil},
		{"busy", backplanetest.Faults{Busy: 1}, true, true, nil},
		{"ambiguous", backplanetest.Faults{Ambiguous: 1}, true, false, []string{"x"}},
		{"redeliver", backplanetest.Faults{Redeliver: 1}, false, false, []string{"x", "x"}},
		{"lose for all", backplanetest.Faults{LoseForAll: 1}, false, false, nil},
		{"lose for one", backplanetest.Faults{LoseForOne: 1}, false, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				topic := backplanetest.NewTopic(1, 0)
				topic.SetFaults(test.faults)
				a := topic.Join("a")
				c := collect(a)
				err := a.Publish(t.Context(), backplane.Message{Body: []byte("x")})
				if (err != nil) != test.err || errors.Is(err, backplane.ErrBusy) != test.busy {
					t.Errorf("Publish = %v, want an error: %v, busy: %v", err, test.err, test.busy)
				}
				time.Sleep(time.Minute)
				c.stop()
				if !slices.Equal(c.got, test.got) {
					t.Errorf("delivered are %q, want %q", c.got, test.got)
				}
			})
		})
	}
}

func TestStallAndCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := backplanetest.NewTopic(1, 0)
		a, b := topic.Join("a"), topic.Join("b")
		c := collect(b)
		b.Stall(true)
		a.Publish(t.Context(), backplane.Message{Body: []byte("one")})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Publish(ctx, backplane.Message{Body: []byte("two")}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Publish of a stalled member = %v, want it to hang", err)
		}
		synctest.Wait()
		if len(c.got) > 0 {
			t.Errorf("a stalled member received %q, want nothing", c.got)
		}
		b.Stall(false)
		synctest.Wait()
		if !slices.Equal(c.got, []string{"one"}) {
			t.Errorf("after the stall it received %q, want what the topic kept for it", c.got)
		}
		b.Cut(true)
		synctest.Wait()
		if c.err == nil {
			t.Error("Receive of a member that is cut goes on, want an error")
		}
		if err := b.Publish(t.Context(), backplane.Message{}); err == nil {
			t.Error("Publish of a member that is cut succeeds")
		}
		a.Publish(t.Context(), backplane.Message{Body: []byte("three")})
		b.Cut(false)
		b.LoseSubscription()
		again := collect(b)
		synctest.Wait()
		if !errors.Is(again.err, backplane.ErrGap) {
			t.Errorf("Receive behind a lost subscription = %v, want ErrGap", again.err)
		}
		c.stop()
		again.stop()
	})
}
