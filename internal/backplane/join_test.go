package backplane_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

func TestFirstInstanceBootstraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a := c.start("a")
		text := a.mustSay(t) // before it has joined
		sleep(time.Second)
		if status := a.node.Status(); status.Ready || !strings.Contains(status.Why, "starting") {
			t.Errorf("Status() = %+v, want not ready with a reason while an instance may answer", status)
		}
		c.wantReady(5 * time.Second)
		sleep(time.Second)
		if got := a.machine.texts(); !slices.Equal(got, []string{text}) {
			t.Errorf("history is %q, want what was appended before the join", got)
		}
	})
}

func TestNewInstancesBootstrapOneCluster(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(t, seed)
			c.topic.SetFaults(backplanetest.Faults{PublishTime: time.Second, DeliverTime: time.Second})
			var said []string
			for n := range 4 {
				i := c.start(fmt.Sprintf("i%d", n))
				said = append(said, i.mustSay(t))
			}
			c.wantReady(time.Minute)
			sleep(10 * time.Second)
			c.wantEachOnce(c.wantAlike(), said)
			for _, i := range c.live() {
				if members := i.node.Status().Members; len(members) != 4 {
					t.Errorf("seed %d: %s sees %+v, want one cluster of four", seed, i.name, members)
				}
			}
		})
	}
}

func TestSnapshotArrivesInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a := c.start("a")
		c.wantReady(30 * time.Second)
		for n := range 300 {
			if err := a.node.Append(fmt.Appendf(nil, "%03d %s", n, strings.Repeat("x", 2000))); err != nil {
				t.Fatal(err)
			}
		}
		sleep(time.Second)
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 50 * time.Millisecond})
		b := c.start("b")
		for range 50 { // the log goes on while the parts are under way
			a.mustSay(t)
			sleep(20 * time.Millisecond)
		}
		c.wantReady(10 * time.Second)
		sleep(time.Second)
		if got := len(c.wantAlike()); got != 350 {
			t.Errorf("history has %d entries, want 350", got)
		}
		if got := b.node.Counters(); got.Joins != 1 || got.Applied > 60 {
			t.Errorf("Counters() of the new instance = %+v, want one join by a snapshot and what followed", got)
		}
		if got := a.node.Counters().Snapshots; got != 1 {
			t.Errorf("a made %d snapshots, want 1", got)
		}
	})
}

func TestNextDonorAnswersForADeadOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a := c.start("a")
		c.wantReady(30 * time.Second)
		b := c.start("b")
		c.wantReady(30 * time.Second)
		text := b.mustSay(t)
		sleep(time.Second)
		c.kill(a) // the oldest, the donor of the first attempt
		start := time.Now()
		d := c.start("d")
		c.wantReady(10 * time.Second)
		if took := time.Since(start); took > 4*time.Second {
			t.Errorf("the new instance was ready after %v, want the second donor to answer the second attempt", took)
		}
		if got := d.machine.texts(); !slices.Contains(got, text) {
			t.Errorf("history of the new instance is %q, want %q in it", got, text)
		}
		sleep(10 * time.Second)
		if got := b.machine.texts(); !slices.Contains(got, "gone a") {
			t.Errorf("history is %q, want the dead donor evicted within seconds", got)
		}
		c.wantAlike()
	})
}

func TestUnusableSnapshotIsRequestedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		c.wantReady(30 * time.Second)
		text := c.instances[0].mustSay(t)
		c.topic.SetFaults(backplanetest.Faults{DeliverTime: time.Second})
		b := c.start("b")
		b.machine.look(func(s *fakeMachine) { s.broken = errors.New("broken") })
		synctest.Wait()
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(20 * time.Second)
		if status := b.node.Status(); status.Ready || !strings.Contains(status.Why, "snapshot") {
			t.Errorf("Status() = %+v, want not ready without a snapshot", status)
		}
		b.machine.look(func(s *fakeMachine) { s.broken = nil })
		sleep(10 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), []string{text})
	})
}

func TestLostSubscriptionIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{DeliverTime: 2 * time.Second})
		own := a.mustSay(t)
		synctest.Wait() // it is in the topic, and not back
		a.bus.LoseSubscription()
		c.topic.SetFaults(backplanetest.Faults{})
		said := []string{own, b.mustSay(t)}
		a.machine.look(func(s *fakeMachine) { s.first = [][]byte{[]byte("first")} })
		sleep(10 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), append(said, "first"))
		if got := a.machine.ackedTexts(); !slices.Contains(got, own) {
			t.Errorf("acknowledged are %q, want %q given to Committed, since the snapshot contains it", got, own)
		}
		if got := b.machine.texts(); slices.Contains(got, "gone a") {
			t.Errorf("history is %q, want nobody gone because of the second join", got)
		}
	})
}

// Two clusters that bootstrapped apart, because one was cut off, merge without losing an entry of either.
func TestClustersMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		said := []string{a.mustSay(t)}
		sleep(time.Second)
		a.bus.Cut(true)
		b := c.start("b")
		for !b.node.Status().Ready {
			sleep(time.Second)
		}
		said = append(said, a.mustSay(t), b.mustSay(t))
		d := c.start("d")
		sleep(10 * time.Second)
		said = append(said, d.mustSay(t))
		sleep(10 * time.Second)
		a.bus.Cut(false)
		sleep(20 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
		if members := a.node.Status().Members; len(members) != 3 || members[0].Instance != "a" {
			t.Errorf("members are %+v, want all three, the older cluster's first", members)
		}
	})
}

// The last instance that has the state bootstraps with it when none is in sync.
func TestLastInstanceBootstrapsWithItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(30 * time.Second)
		said := []string{a.mustSay(t), b.mustSay(t)}
		sleep(time.Second)
		c.kill(a)
		b.bus.LoseSubscription()
		c.start("d")
		sleep(20 * time.Second)
		c.wantReady(0)
		history := c.wantAlike()
		c.wantEachOnce(history, said)
	})
}

func TestAllInstancesOutOfSyncRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.wantReady(30 * time.Second)
		said := c.loseAllSubscriptions()
		for _, i := range c.live() {
			said = append(said, i.mustSay(t))
		}
		sleep(20 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
	})
}

func TestInstanceJoinsOverASlowBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		c.wantReady(30 * time.Second)
		said := []string{c.instances[0].mustSay(t)}
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 5 * time.Second, DeliverTime: 20 * time.Second})
		b := c.start("b")
		for range 15 {
			said = append(said, b.mustSay(t), c.instances[0].mustSay(t))
			sleep(20 * time.Second)
		}
		if got := b.node.Counters().Joins; got != 1 {
			t.Errorf("the new instance has joined %d times in 300 s, want once on a bus this slow", got)
		}
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(30 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
	})
}
