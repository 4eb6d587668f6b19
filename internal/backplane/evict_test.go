package backplane_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

// evictor is a bus with an Evict that fails as the test says.
type evictor struct {
	*backplanetest.Bus
	answers chan error // of Evict, one after the other; nil once it is empty
	silent  bool       // Evict blocks until its context ends
	calls   chan string
}

func (b evictor) Evict(ctx context.Context, instance string) error {
	b.calls <- instance
	if b.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case err := <-b.answers:
		return err
	default:
		return nil
	}
}

// evicts has an instance evict one that was killed, on a bus whose Evict gives the answers. It calls
// then after the first call of Evict, and returns the arguments of all calls.
func evicts(
	t *testing.T, silent bool, answers []error, then func(c *cluster, survivor *backplane.Node),
) (evicted []string) {
	c := newCluster(t, 1, "a", "b")
	killed := c.instances[1]
	c.wantReady(30 * time.Second)
	bus := evictor{
		Bus: c.topic.Join("d"), answers: make(chan error, 100), calls: make(chan string, 100), silent: silent,
	}
	for _, err := range answers {
		bus.answers <- err
	}
	node := backplane.New(bus, newFakeMachine("d"), backplane.Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- node.Run(ctx) }()
	sleep(10 * time.Second)
	c.kill(killed)
	node.Suspect("b")
	evicted = append(evicted, <-bus.calls)
	then(c, node)
	sleep(2 * time.Minute)
	stop()
	<-done
	close(bus.calls)
	for name := range bus.calls {
		evicted = append(evicted, name)
	}
	return evicted
}

func TestSurvivorEvictsFromTheBus(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name    string
		answers []error
		want    int // calls of Evict
	}{
		{"at once", nil, 1},
		{"when the bus is busy, or fails", []error{backplane.ErrBusy, broken, broken}, 4},
		{"ten times at most", slices.Repeat([]error{broken}, 50), 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := evicts(t, false, test.answers, func(*cluster, *backplane.Node) {})
				if want := slices.Repeat([]string{"b"}, test.want); !slices.Equal(got, want) {
					t.Errorf("evicted on the bus are %q, want %q", got, want)
				}
			})
		})
	}
}

// Entries are published while a call of Evict is under way.
func TestEntriesDoNotWaitForEvict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evicts(t, true, nil, func(_ *cluster, survivor *backplane.Node) {
			if err := survivor.Append([]byte("during Evict")); err != nil {
				t.Fatal(err)
			}
			sleep(time.Second)
			if waiting := survivor.Status().Waiting; waiting != 0 {
				t.Errorf("%d entries wait for the bus, want none", waiting)
			}
		})
	})
}

// An instance that was evicted and is back needs its subscription.
func TestReturnedInstanceIsNotEvictedFromTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := evicts(t, false, slices.Repeat([]error{errors.New("broken")}, 50), func(c *cluster, _ *backplane.Node) {
			c.start("b")
			c.wantReady(30 * time.Second)
		})
		if len(got) == 0 || len(got) >= 10 {
			t.Errorf("Evict was called %d times for an instance that is back, want a few", len(got))
		}
	})
}
