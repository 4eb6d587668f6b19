package backplane_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
