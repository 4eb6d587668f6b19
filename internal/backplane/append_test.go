package backplane_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

func TestProvisionalWhileCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		said := []string{a.mustSay(t), a.mustSay(t)}
		sleep(time.Second)
		a.machine.look(func(s *fakeMachine) {
			if len(s.provisional) > 0 || s.cut {
				t.Errorf("after 1 s provisional are %q, cut off %v; want neither", s.provisional, s.cut)
			}
		})
		sleep(time.Second)
		a.machine.look(func(s *fakeMachine) {
			if !slices.Equal(s.provisional, said) || !s.cut {
				t.Errorf("after 2 s provisional are %q, cut off %v; want %q and true", s.provisional, s.cut, said)
			}
		})
		if status := a.node.Status(); !status.Ready || !status.CutOff || status.Waiting != 2 {
			t.Errorf("after 2 s Status() = %+v, want ready, cut off, 2 waiting", status)
		}
		sleep(20 * time.Second)
		if status := a.node.Status(); status.Ready || !strings.Contains(status.Why, "cut off") {
			t.Errorf("after 22 s Status() = %+v, want not ready since cut off", status)
		}
		said = append(said, b.mustSay(t))
		a.bus.Cut(false)
		sleep(10 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
		if got := b.machine.texts(); len(got) != 3 {
			t.Errorf("history is %q, want the three entries and nobody gone", got)
		}
		a.machine.look(func(s *fakeMachine) {
			if s.cut || len(s.provisional) != 2 {
				t.Errorf("after all cut off is %v, provisional %q; want false and each once", s.cut, s.provisional)
			}
		})
	})
}

func TestAppendIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		c.options.MaxWaiting, c.options.MaxEntry = 10, 1000
		a := c.start("a")
		c.wantReady(30 * time.Second)
		if err := a.node.Append(make([]byte, 1001)); !errors.Is(err, backplane.ErrTooLarge) {
			t.Errorf("Append(1,001 bytes) = %v, want ErrTooLarge", err)
		}
		a.bus.Cut(true)
		var said []string
		for range 10 {
			said = append(said, a.mustSay(t))
		}
		if _, err := a.say(); !errors.Is(err, backplane.ErrFull) {
			t.Errorf("Append of the 11th = %v, want ErrFull", err)
		}
		if got := a.node.Counters().Refused; got != 1 {
			t.Errorf("Counters().Refused = %d, want 1", got)
		}
		a.bus.Cut(false)
		sleep(10 * time.Second)
		said = append(said, a.mustSay(t))
		sleep(time.Second)
		if got := a.machine.texts(); !slices.Equal(got, said) {
			t.Errorf("history is %q, want %q", got, said)
		}
		c.leave(a)
		if _, err := a.say(); !errors.Is(err, backplane.ErrClosed) {
			t.Errorf("Append after Run = %v, want ErrClosed", err)
		}
	})
}

func TestAppendIsBoundedInBytes(t *testing.T) {
	options := backplane.Options{Limits: backplane.Limits{MaxWaitingBytes: 1000}}
	node := backplane.New(backplanetest.NewTopic(1, 0).Join("a"), newFakeMachine("a"), options)
	if err := node.Append(make([]byte, 1000)); err != nil {
		t.Errorf("Append(1,000 bytes) = %v, want nil", err)
	}
	if err := node.Append([]byte("x")); !errors.Is(err, backplane.ErrFull) {
		t.Errorf("Append of one byte more = %v, want ErrFull", err)
	}
}

func TestBusyBusIsAskedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a := c.start("a")
		c.wantReady(30 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{Busy: 1})
		before := a.node.Counters()
		var said []string
		for range 100 {
			said = append(said, a.mustSay(t))
			sleep(100 * time.Millisecond)
		}
		busy := a.node.Counters().Busy - before.Busy
		if busy < 3 || busy > 12 {
			t.Errorf("%d publish attempts in 10 s on a busy bus, want ever fewer, every 2 s in the end", busy)
		}
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(3 * time.Second)
		if got := a.machine.texts(); !slices.Equal(got, said) {
			t.Errorf("history is %q, want all entries", got)
		}
		if batches := a.node.Counters().Batches - before.Batches; batches > 2 {
			t.Errorf("the waiting entries went out in %d batches, want 1", batches)
		}
		for range 20 { // successes narrow the pauses again
			a.mustSay(t)
			sleep(3 * time.Second)
		}
		start := time.Now()
		text := a.mustSay(t)
		for !slices.Contains(a.machine.texts(), text) {
			sleep(time.Millisecond)
		}
		if took := time.Since(start); took > 10*time.Millisecond {
			t.Errorf("an entry takes %v long after the bus was busy, want no pause", took)
		}
	})
}

func TestObserverReceivesLatenciesAndBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		var latencies []time.Duration
		var entries int
		c.options.Observer = backplane.Observer{
			OwnEntry: func(latency time.Duration) { latencies = append(latencies, latency) },
			Batch:    func(n, bytes int) { entries += n },
		}
		a := c.start("a")
		c.wantReady(30 * time.Second)
		a.bus.Stall(true)
		for i := range 3 {
			if err := a.node.Append(fmt.Appendf(nil, "%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		sleep(500 * time.Millisecond)
		a.bus.Stall(false)
		sleep(time.Second)
		c.leave(a)
		half := 500 * time.Millisecond
		if !slices.Equal(latencies, []time.Duration{half, half, half}) {
			t.Errorf("latencies are %v, want three of 500ms", latencies)
		}
		if entries < 4 { // the leave entry included
			t.Errorf("batches held %d entries, want 4 at least", entries)
		}
		if got := a.node.Status().Latency; got != half {
			t.Errorf("Status().Latency = %v, want %v", got, half)
		}
	})
}
