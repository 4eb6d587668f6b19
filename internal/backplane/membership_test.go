package backplane_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

// count returns how often text is in texts.
func count(texts []string, text string) int {
	n := 0
	for _, t := range texts {
		if t == text {
			n++
		}
	}
	return n
}

func TestKilledInstanceIsEvicted(t *testing.T) {
	for _, test := range []struct {
		name    string
		after   time.Duration // after its last entry
		suspect bool
		within  time.Duration
	}{
		{"when suspected, in seconds", 2 * time.Second, true, 7 * time.Second},
		{"when suspected while it was heard a moment ago", 500 * time.Millisecond, true, 8 * time.Second},
		{"when silent, in minutes", 2 * time.Second, false, 3 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1, "a", "b", "c")
				a, b, killed := c.instances[0], c.instances[1], c.instances[2]
				c.wantReady(30 * time.Second)
				said := killed.mustSay(t)
				sleep(test.after)
				if test.suspect {
					b.node.Suspect("c")
				}
				c.kill(killed)
				sleep(test.within)
				history := c.wantAlike()
				if !slices.Equal(history, []string{said, "gone c"}) {
					t.Errorf("history is %q, want its entry and that it is gone, once", history)
				}
				if members := a.node.Status().Members; len(members) != 2 {
					t.Errorf("members are %+v, want the two that live", members)
				}
				if got := a.node.Counters().Evictions; got != 1 {
					t.Errorf("Counters().Evictions = %d, want 1", got)
				}
			})
		})
	}
}

func TestSuspectedInstanceThatLivesStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		sleep(30 * time.Second)
		a.node.Suspect("b")
		a.node.Suspect("a")
		a.node.Suspect("nobody")
		sleep(10 * time.Second)
		if history := c.wantAlike(); len(history) != 0 {
			t.Errorf("history is %q, want nobody gone", history)
		}
		for _, m := range a.node.Status().Members {
			if m.Instance == "b" && time.Since(m.Heard) > 11*time.Second {
				t.Errorf("b was heard %v ago, want a sign of life", time.Since(m.Heard))
			}
		}
		if got := b.node.Counters().Joins; got != 1 {
			t.Errorf("b has joined %d times, want once", got)
		}
	})
}

// An instance that was paused, but not evicted, continues without joining again.
func TestPausedInstanceGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		b.bus.Stall(true)
		var said []string
		for range 30 {
			said = append(said, a.mustSay(t))
			sleep(time.Second)
		}
		b.bus.Stall(false)
		sleep(10 * time.Second)
		c.wantReady(0)
		if history := c.wantAlike(); !slices.Equal(history, said) {
			t.Errorf("history is %q, want %q", history, said)
		}
		if got := b.node.Counters().Joins; got != 1 {
			t.Errorf("b has joined %d times, want once", got)
		}
	})
}

// An instance whose process stood still sends a heartbeat at once, to find out whether it is still connected.
func TestStoppedInstanceSendsHeartbeatAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		sleep(10 * time.Second)
		b.machine.mu.Lock()
		b.machine.hold = func() { time.Sleep(20 * time.Second) }
		b.machine.mu.Unlock()
		before := b.node.Counters().Batches
		a.mustSay(t)
		sleep(22 * time.Second)
		if got := b.node.Counters().Batches; got == before {
			t.Error("b has published nothing since it stood still")
		}
		c.wantReady(0)
	})
}

// An instance that was evicted while paused publishes first what Joined returns, then the entries that waited.
func TestEvictedInstanceComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		b.node.Append([]byte("claim name/b-1"))
		sleep(time.Second)
		b.bus.Stall(true)
		waiting := b.mustSay(t)
		sleep(2 * time.Second)
		a.node.Suspect("b")
		sleep(10 * time.Second)
		if got := a.machine.texts(); count(got, "gone b") != 1 {
			t.Fatalf("history is %q, want b gone", got)
		}
		a.node.Append([]byte("claim name/a-1"))
		b.machine.look(func(s *fakeMachine) { s.first = [][]byte{[]byte("claim name/b-2"), []byte("claim other/b-2")} })
		sleep(time.Second)
		b.bus.Stall(false)
		sleep(20 * time.Second)
		c.wantReady(0)
		history := c.wantAlike()
		c.wantEachOnce(history, []string{"gone b", "claim name/b-2", "claim other/b-2", waiting})
		if slices.Index(history, "claim other/b-2") > slices.Index(history, waiting) {
			t.Errorf("history is %q, want what Joined returned ahead of what waited", history)
		}
		a.machine.look(func(s *fakeMachine) {
			if got := s.state.Holders; got["name"] != "a-1" || got["other"] != "b-2" {
				t.Errorf("holders are %v, want a-1, the first after b was gone, and b-2", got)
			}
		})
		if got := b.node.Counters().Joins; got != 2 {
			t.Errorf("b has joined %d times, want twice", got)
		}
	})
}

// An instance that lost the eviction too learns of it from the others.
func TestInstanceThatMissedItsEvictionJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		sleep(2 * time.Second)
		b.bus.Stall(true)
		a.node.Suspect("b")
		sleep(15 * time.Second)
		b.bus.Expire()
		b.bus.Stall(false)
		said := b.mustSay(t)
		sleep(20 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), []string{said, "gone b"})
	})
}

func TestRestartUnderTheSameNameIsAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		b := c.instances[1]
		c.wantReady(30 * time.Second)
		said := []string{b.mustSay(t)}
		sleep(time.Second)
		c.kill(b)
		again := c.start("b")
		said = append(said, again.mustSay(t))
		c.wantReady(10 * time.Second)
		sleep(time.Second)
		history := c.wantAlike()
		c.wantEachOnce(history, []string{"b says 1", "gone b"}[1:])
		if count(history, "b says 1") != 2 || history[1] != "gone b" {
			t.Errorf("history is %q, want %q twice, of two processes", history, said[0])
		}
		again.machine.look(func(s *fakeMachine) {
			if first, second := s.state.History[0], s.state.History[2]; first.Epoch >= second.Epoch {
				t.Errorf("epochs are %d and %d, want the second process's greater", first.Epoch, second.Epoch)
			}
		})
	})
}

// If two instances were both cut off, neither evicts the other once the bus is back.
func TestSlowBusEvictsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		sleep(3 * time.Second)
		a.bus.Stall(true)
		b.bus.Stall(true)
		a.node.Suspect("b")
		b.node.Suspect("a")
		sleep(5 * time.Minute)
		a.bus.Stall(false)
		b.bus.Stall(false)
		sleep(30 * time.Second)
		c.wantReady(0)
		if history := c.wantAlike(); len(history) != 0 {
			t.Errorf("history is %q, want nobody gone", history)
		}
	})
}

// In an hour without the bus no instance appends probes that could not be answered.
func TestProbesDoNotPileUpWithoutTheBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.wantReady(30 * time.Second)
		sleep(3 * time.Second)
		for _, i := range c.instances {
			i.bus.Cut(true)
		}
		sleep(time.Hour)
		before := make(map[string]uint64)
		for _, i := range c.instances {
			before[i.name] = i.node.Counters().BatchBytes
			i.bus.Cut(false)
		}
		sleep(time.Minute)
		c.wantReady(0)
		for _, i := range c.instances {
			if got := i.node.Counters().BatchBytes - before[i.name]; got > 8<<10 {
				t.Errorf("%s has sent %d bytes once the bus was there again, want a few heartbeats", i.name, got)
			}
		}
		if history := c.wantAlike(); len(history) != 0 {
			t.Errorf("history is %q, want nobody gone", history)
		}
	})
}

// A dead instance is evicted even on a bus that is so slow that own entries are always late.
func TestKilledInstanceIsEvictedOnASlowBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		a, b, killed := c.instances[0], c.instances[1], c.instances[2]
		c.wantReady(30 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{DeliverTime: 5 * time.Second})
		sleep(5 * time.Second)
		epoch := func(at *instance) uint64 { // of the instance that is to be killed, as another one has it
			for _, m := range at.node.Status().Members {
				if m.Instance == killed.name {
					return m.Epoch
				}
			}
			return 0
		}
		for epoch(killed) == 0 || epoch(b) != epoch(killed) { // it may be on the way to join anew
			sleep(time.Second)
		}
		c.kill(killed)
		b.node.Suspect("c")
		cut := 0
		for range 300 {
			a.mustSay(t)
			b.mustSay(t)
			sleep(200 * time.Millisecond)
			if b.node.Status().CutOff {
				cut++
			}
		}
		if cut < 200 {
			t.Errorf("own entries were late at %d of 300 moments, want nearly always", cut)
		}
		if members := b.node.Status().Members; len(members) != 2 {
			t.Errorf("members are %+v, want the two that live", members)
		}
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(30 * time.Second)
		c.wantAlike()
	})
}

// An instance that was cut off while another died has probed that one in vain, and needs no longer for its eviction.
func TestDeathDuringAnOutageIsFoundSoonAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, dead := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		a.bus.Cut(true)
		c.kill(dead)
		sleep(8 * time.Minute)
		a.bus.Cut(false)
		sleep(30 * time.Second)
		if members := a.node.Status().Members; len(members) != 1 {
			t.Errorf("the members are %v, want a alone", members)
		}
	})
}
