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

// evictor is a bus that keeps something for every instance.
type evictor struct {
	*backplanetest.Bus
	answers chan error // of Evict, one after the other; nil once it is empty
	silent  bool       // Evict answers only when it is told to stop
	asked   chan string
}

func (b evictor) Evict(ctx context.Context, instance string) error {
	b.asked <- instance
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

// evicts has an instance evict others that were killed, on a bus that answers so, and tells what the bus was asked to remove. meanwhile is
// called when it has been asked for the first time.
func evicts(t *testing.T, silent bool, answers []error, meanwhile func(c *cluster, survivor *backplane.Node)) (asked []string) {
	c := newCluster(t, 1, "a", "b")
	killed := c.instances[1]
	c.wantReady(30 * time.Second)
	bus := evictor{Bus: c.topic.Join("d"), answers: make(chan error, 100), asked: make(chan string, 100), silent: silent}
	for _, err := range answers {
		bus.answers <- err
	}
	node := backplane.New(bus, newToy("d"), backplane.Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- node.Run(ctx) }()
	sleep(10 * time.Second)
	c.kill(killed)
	node.Suspect("b")
	asked = append(asked, <-bus.asked)
	meanwhile(c, node)
	sleep(2 * time.Minute)
	stop()
	<-done
	close(bus.asked)
	for name := range bus.asked {
		asked = append(asked, name)
	}
	return asked
}

func TestSurvivorRemovesWhatTheBusKeeps(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name    string
		answers []error
		want    int // times that the bus is asked
	}{
		{"at once", nil, 1},
		{"when the bus is busy, or fails", []error{backplane.ErrBusy, broken, broken}, 4},
		{"not for ever", slices.Repeat([]error{broken}, 50), 10},
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

// What the bus keeps may take long to remove. Nobody waits for that.
func TestEntriesDoNotWaitForTheRemoval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evicts(t, true, nil, func(_ *cluster, survivor *backplane.Node) {
			if err := survivor.Append([]byte("said meanwhile")); err != nil {
				t.Fatal(err)
			}
			sleep(time.Second)
			if waiting := survivor.Status().Waiting; waiting != 0 {
				t.Errorf("%d entries wait for the bus, want none", waiting)
			}
		})
	})
}

// Who was taken for dead and is back needs what the bus keeps for him.
func TestNothingIsRemovedOfWhoIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := evicts(t, false, slices.Repeat([]error{errors.New("broken")}, 50), func(c *cluster, _ *backplane.Node) {
			c.start("b")
			c.wantReady(30 * time.Second)
		})
		if len(got) == 0 || len(got) >= 10 {
			t.Errorf("the bus was asked %d times to remove what is needed again, want a few", len(got))
		}
	})
}
