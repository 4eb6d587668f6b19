package backplane_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

// crash ends an instance as kill -9 does, and leaves its subscription behind.
func (c *cluster) crash(i *instance) {
	i.dead = true
	i.bus.Stall(false)
	i.bus.Cut(true)
	i.stop()
	<-i.done
	i.bus.End()
}

// wantWaiting checks that an instance is not ready for a while, and says why.
func wantWaiting(t *testing.T, i *instance, while time.Duration, why string) {
	t.Helper()
	for range int(while / time.Second) {
		sleep(time.Second)
		if status := i.node.Status(); status.Ready {
			t.Fatalf("%s is ready: %+v, want it to wait", i.name, status)
		}
	}
	if status := i.node.Status(); !strings.Contains(status.Why, why) {
		t.Errorf("%s says %q, want %q in it", i.name, status.Why, why)
	}
}

// subscriptions are the names of those that the bus keeps.
func (c *cluster) subscriptions() (names []string) {
	c.t.Helper()
	all, err := c.topic.Join("observer").Subscriptions(c.t.Context())
	c.topic.Leave("observer")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, s := range all {
		if s.Instance != "observer" {
			names = append(names, s.Instance)
		}
	}
	return names
}

func TestRestartedClusterWaitsForTheDead(t *testing.T) {
	for _, test := range []struct {
		name      string
		unmanaged bool
		after     time.Duration
	}{
		{"ten seconds, if it may look after them", false, 10 * time.Second},
		{"thirty seconds, if it may not", true, 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1, "a", "b")
				c.wantReady(40 * time.Second)
				for _, i := range c.live() {
					c.crash(i)
				}
				sleep(time.Minute)
				if test.unmanaged {
					c.topic.Forbid()
				}
				d := c.start("d")
				wantWaiting(t, d, test.after-time.Second, "nobody answers")
				c.wantReady(6 * time.Second)
				if got := c.subscriptions; !test.unmanaged && !slices.Equal(got(), []string{"d"}) {
					t.Errorf("subscriptions are %q, want those of the dead removed", got())
				}
			})
		})
	}
}

// An instance that reads and can't send lives: nobody bootstraps beside it, however long that lasts.
func TestNobodyBootstrapsBesideAnInstanceThatReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		a := c.instances[0]
		c.wantReady(40 * time.Second)
		said := []string{a.mustSay(t)}
		sleep(time.Second)
		a.bus.Mute(true)
		b := c.start("b")
		wantWaiting(t, b, 3*time.Minute, "a may live")
		a.bus.Mute(false)
		c.wantReady(20 * time.Second)
		c.wantEachOnce(c.wantAlike(), said)
		if got := b.node.Counters(); got.Joins != 1 || a.node.Counters().Joins != 1 {
			t.Errorf("a has joined %d times and b %d times, want once each", a.node.Counters().Joins, got.Joins)
		}
	})
}

// An instance that does not hear itself neither bootstraps nor removes anything.
func TestDeafInstanceDoesNotBootstrap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		c.wantReady(40 * time.Second)
		c.crash(c.instances[0])
		b := c.start("b")
		b.bus.Deafen(true)
		wantWaiting(t, b, 2*time.Minute, "waiting for the bus")
		if got := c.subscriptions(); !slices.Contains(got, "a") {
			t.Errorf("subscriptions are %q, want a's, of which b knows nothing", got)
		}
		b.bus.Deafen(false)
		c.wantReady(time.Minute)
	})
}

// A subscription that was deleted is no reason to bootstrap beside members that live, however slow they are.
func TestInstanceThatLostItsSubscriptionWaitsForAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		a := c.instances[0]
		c.wantReady(40 * time.Second)
		said := []string{a.mustSay(t)}
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 3 * time.Second, DeliverTime: 8 * time.Second})
		a.bus.LoseSubscription()
		for range 60 {
			said = append(said, c.instances[1].mustSay(t), c.instances[2].mustSay(t))
			sleep(time.Second)
		}
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(40 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
		a.machine.look(func(s *fakeMachine) {
			if s.begun > 1 {
				t.Errorf("a has begun %d logs, want the first alone", s.begun)
			}
		})
	})
}

// Members that were only paused find their subscriptions removed, and join the cluster that went on without them.
// Nothing that either has acknowledged is lost.
func TestFencedMembersMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a, b := c.instances[0], c.instances[1]
		c.wantReady(40 * time.Second)
		said := []string{a.mustSay(t), b.mustSay(t)}
		sleep(time.Second)
		a.bus.Stall(true)
		b.bus.Stall(true)
		d := c.start("d")
		for !d.node.Status().Ready {
			sleep(time.Second)
		}
		said = append(said, d.mustSay(t), a.mustSay(t))
		sleep(time.Second)
		acked := len(a.machine.ackedTexts())
		a.bus.Stall(false)
		if sleep(10 * time.Millisecond); len(a.machine.ackedTexts()) > acked {
			t.Error("a has acknowledged what it said without its subscription")
		}
		b.bus.Stall(false)
		sleep(time.Minute)
		c.wantReady(0)
		history := c.wantAlike()
		c.wantEachOnce(history, said)
		for _, i := range c.live() {
			c.wantEachOnce(history, i.machine.ackedTexts())
		}
	})
}

// Instances that are all out of sync, and know it of each other, need not wait for long.
func TestClusterThatLostAllSubscriptionsIsSoonBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b", "c")
		c.wantReady(40 * time.Second)
		said := c.loseAllSubscriptions()
		c.wantReady(8 * time.Second)
		sleep(5 * time.Second)
		c.wantEachOnce(c.wantAlike(), said)
	})
}

// The process of an earlier one's name, on a machine whose clock was set back, is admitted all the same.
func TestRestartWithTheClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a")
		c.wantReady(40 * time.Second)
		ahead := c.topic.Join("b")
		node := backplane.New(ahead, newFakeMachine("b"), backplane.Options{
			Wall: func(now time.Time) time.Time { return now.Add(24 * time.Hour) },
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- node.Run(ctx) }()
		sleep(10 * time.Second)
		if !node.Status().Ready {
			t.Fatalf("the first process is not ready: %s", node.Status().Why)
		}
		stop()
		<-done
		again := c.start("b")
		c.wantReady(20 * time.Second)
		said := again.mustSay(t)
		sleep(time.Second)
		c.wantEachOnce(c.wantAlike(), []string{said})
	})
}
