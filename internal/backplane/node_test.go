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

func TestInstancesShareOneLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 50 * time.Millisecond, DeliverTime: 50 * time.Millisecond})
		c.wantReady(30 * time.Second)
		var said []string
		for range 50 {
			for _, i := range c.live() {
				said = append(said, i.mustSay(t))
			}
		}
		sleep(time.Second)
		history := c.wantAlike()
		c.wantEachOnce(history, said)
		for _, i := range c.live() {
			others := func(text string) bool { return !strings.HasPrefix(text, i.name) }
			own := slices.DeleteFunc(slices.Clone(history), others)
			if want := slices.DeleteFunc(slices.Clone(said), others); !slices.Equal(own, want) {
				t.Errorf("entries of %s are in the log as %q, want the order appended", i.name, own)
			}
			if batches := i.node.Counters().Batches; batches > 20 {
				t.Errorf("%s needed %d batches for 50 entries, want larger batches", i.name, batches)
			}
		}
	})
}

func TestEntryKeepsItsTimeAndName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		at := time.Now().UnixMilli()
		text := a.mustSay(t)
		sleep(10 * time.Second)
		a.bus.LoseSubscription() // so that it is published in a later epoch
		a.bus.Cut(false)
		sleep(20 * time.Second)
		c.wantEachOnce(c.wantAlike(), []string{text})
		a.machine.look(func(s *fakeMachine) {
			l := s.state.History[0]
			if l.Time != at {
				t.Errorf("time of the entry is %d, want that of Append, %d", l.Time, at)
			}
			if l.Instance != "a" || l.Epoch > uint64(at) || l.Number == 0 {
				t.Errorf("name of the entry is %+v, want the first epoch of a's process", l)
			}
		})
	})
}

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

// An entry that the bus has lost for all is published again, and has the same log index for all.
func TestEntryLostForAllIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{LoseForAll: 1})
		said := []string{a.mustSay(t)}
		sleep(time.Second)
		c.topic.SetFaults(backplanetest.Faults{})
		said = append(said, a.mustSay(t), b.mustSay(t))
		sleep(time.Second)
		c.wantEachOnce(c.wantAlike(), said)
		if got := a.node.Counters(); got.Resent == 0 || got.Gaps == 0 {
			t.Errorf("Counters() = %+v, want a gap found and entries sent again", got)
		}
		// The same without a later entry that would reveal the gap.
		c.topic.SetFaults(backplanetest.Faults{LoseForAll: 1})
		said = append(said, a.mustSay(t))
		sleep(time.Second)
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(10 * time.Second)
		c.wantEachOnce(c.wantAlike(), said)
		for _, i := range c.live() {
			if joins := i.node.Counters().Joins; joins != 1 {
				t.Errorf("%s has joined %d times, want a repair without a snapshot", i.name, joins)
			}
		}
	})
}

// An instance that alone has lost an entry gets it with a snapshot.
func TestInstanceThatLostAnEntryJoinsAgain(t *testing.T) {
	for _, test := range []struct {
		name string
		then func(a, b, c *instance)
	}{
		{"by the next of its publisher", func(a, b, c *instance) { a.say() }},
		{"by the next of another", func(a, b, c *instance) { c.say() }},
		{"by a heartbeat", func(a, b, c *instance) { sleep(3 * time.Minute) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cl := newCluster(t, 1, "a", "b", "c")
				a, b, c := cl.instances[0], cl.instances[1], cl.instances[2]
				cl.wantReady(30 * time.Second)
				sleep(3 * time.Second)
				b.bus.Stall(true)
				text := a.mustSay(t)
				sleep(100 * time.Millisecond)
				b.bus.Expire()
				b.bus.Stall(false)
				test.then(a, b, c)
				sleep(10 * time.Second)
				cl.wantReady(0)
				cl.wantEachOnce(cl.wantAlike(), []string{text})
				if joins := b.node.Counters().Joins; joins != 2 {
					t.Errorf("b has joined %d times, want once more because of the gap", joins)
				}
				for _, i := range []*instance{a, c} {
					if joins := i.node.Counters().Joins; joins != 1 {
						t.Errorf("%s has joined %d times, want only b to join again", i.name, joins)
					}
				}
			})
		})
	}
}

// Of two instances that have the same entries in different orders, one joins again.
func TestDifferentOrdersAreReconciled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		sleep(3 * time.Second)
		// a alone loses its own entry, and so receives it only after it has published it again, behind b's.
		c.topic.SetFaults(backplanetest.Faults{DeliverTime: 2 * time.Second})
		said := []string{a.mustSay(t)}
		synctest.Wait()
		a.bus.Expire()
		c.topic.SetFaults(backplanetest.Faults{})
		said = append(said, b.mustSay(t))
		sleep(10 * time.Second)
		said = append(said, a.mustSay(t), b.mustSay(t))
		sleep(10 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
		if joins := a.node.Counters().Joins + b.node.Counters().Joins; joins != 3 {
			t.Errorf("they have joined %d times together, want one of them once more", joins)
		}
	})
}

func TestSilentReceiveIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		a.bus.Silence()
		text := a.mustSay(t)
		sleep(30 * time.Second)
		c.wantEachOnce(c.wantAlike(), []string{text})
		if got := a.node.Counters().Restarts; got == 0 {
			t.Error("Receive was not called again, want the call that delivers nothing to be ended")
		}
	})
}

func TestLeavingInstanceIsNotEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		said := []string{a.mustSay(t), a.mustSay(t)}
		if err := c.leave(a); err != nil {
			t.Errorf("Run = %v, want nil when all entries are in the log", err)
		}
		sleep(time.Second)
		want := append(said, "gone a")
		if got := b.machine.texts(); !slices.Equal(got, want) {
			t.Errorf("history is %q, want %q", got, want)
		}
		if got := b.node.Counters().Evictions; got != 0 {
			t.Errorf("%d evictions, want none after a leave entry", got)
		}
		if members := b.node.Status().Members; len(members) != 1 || !members[0].Self {
			t.Errorf("members are %+v, want b alone", members)
		}
	})
}

func TestShutdownReportsLostEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		a.mustSay(t)
		a.mustSay(t)
		start := time.Now()
		if err := c.leave(a); err == nil || !strings.Contains(err.Error(), "2 entries") {
			t.Errorf("Run = %v, want the number of lost entries, 2", err)
		}
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("Run took %v to give up, want FlushTimeout", took)
		}
	})
}

func TestIdleInstancesPublishLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.wantReady(30 * time.Second)
		sleep(time.Minute)
		before := make(map[string]uint64)
		for _, i := range c.live() {
			before[i.name] = i.node.Counters().Batches
		}
		sleep(time.Hour)
		for _, i := range c.live() {
			if got := i.node.Counters().Batches - before[i.name]; got < 50 || got > 61 {
				t.Errorf("%s published %d times in an idle hour, want about once a minute", i.name, got)
			}
		}
		c.leave(c.instances[1])
		c.leave(c.instances[2])
		sleep(time.Minute)
		start := c.instances[0].node.Counters().Batches
		sleep(time.Hour)
		if got := c.instances[0].node.Counters().Batches - start; got > 15 {
			t.Errorf("one that is alone published %d times in an idle hour, want every four minutes", got)
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

func TestForeignBodiesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		c.wantReady(30 * time.Second)
		c.topic.Inject([]byte("hello"))
		c.topic.Inject(nil)
		c.topic.Inject([]byte{})
		text := c.instances[0].mustSay(t)
		sleep(time.Second)
		c.wantEachOnce(c.wantAlike(), []string{text})
		if got := c.instances[1].node.Counters().Malformed; got != 2 {
			t.Errorf("Counters().Malformed = %d, want 2", got)
		}
	})
}

// A name that is claimed on several instances at the same time has one holder, alike on all of them.
func TestOneClaimWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.wantReady(30 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{
			PublishTime: 100 * time.Millisecond, DeliverTime: 100 * time.Millisecond,
			Refuse: 0.1, Busy: 0.1, Ambiguous: 0.1, Repeat: 0.2, Redeliver: 0.2,
		})
		const names = 1000
		for n := range names {
			for _, i := range c.live() {
				if err := i.node.Append(fmt.Appendf(nil, "claim name%d/%s-1", n, i.name)); err != nil {
					t.Fatal(err)
				}
			}
			sleep(50 * time.Millisecond)
		}
		sleep(time.Minute)
		c.wantAlike()
		winner := make(map[string]string)
		for _, i := range c.live() {
			i.machine.look(func(s *fakeMachine) {
				for _, name := range s.won {
					if winner[name] != "" {
						t.Errorf("%s was given to %s and to %s", name, winner[name], i.name)
					}
					winner[name] = i.name
					if holder := s.state.Holders[name]; holder != i.name+"-1" {
						t.Errorf("%s was given to %s, and is held by %s", name, i.name, holder)
					}
				}
				if len(s.won) < names/10 {
					t.Errorf("%s has won %d of %d names, want a fair share", i.name, len(s.won), names)
				}
			})
		}
		if len(winner) != names {
			t.Errorf("%d names have a holder, want all %d", len(winner), names)
		}
	})
}
