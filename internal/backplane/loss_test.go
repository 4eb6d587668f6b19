package backplane_test

import (
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

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

// If two instances have the same entries in different orders, one of them joins again.
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

// However long the bus was silent or refused everything, it is used again within 5 s after it works.
func TestBusIsUsedAgainSoonAfterItWorks(t *testing.T) {
	for _, test := range []struct {
		name       string
		begin, end func(*cluster, *backplanetest.Bus)
	}{
		{
			"silent",
			func(_ *cluster, b *backplanetest.Bus) { b.Stall(true) },
			func(_ *cluster, b *backplanetest.Bus) { b.Stall(false) },
		}, {
			"refusing",
			func(_ *cluster, b *backplanetest.Bus) { b.Cut(true) },
			func(_ *cluster, b *backplanetest.Bus) { b.Cut(false) },
		}, {
			"refusing to send, and silent to the present call of Receive",
			func(c *cluster, b *backplanetest.Bus) {
				b.Silence()
				c.topic.SetFaults(backplanetest.Faults{Refuse: 1})
			},
			func(c *cluster, _ *backplanetest.Bus) { c.topic.SetFaults(backplanetest.Faults{}) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1, "a", "b")
				c.wantReady(30 * time.Second)
				for _, lasts := range []time.Duration{3, 7, 20, 61, 200} {
					for _, i := range c.live() {
						test.begin(c, i.bus)
					}
					sleep(lasts * time.Second / 2)
					said := []string{c.instances[0].mustSay(t), c.instances[1].mustSay(t)}
					sleep(lasts * time.Second / 2)
					for _, i := range c.live() {
						test.end(c, i.bus)
					}
					sleep(5 * time.Second)
					c.wantReady(0)
					c.wantEachOnce(c.wantAlike(), said)
				}
			})
		})
	}
}
