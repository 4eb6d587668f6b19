package backplane_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

// startCombining starts instances that have a queue, and waits until one of them combines.
func startCombining(t *testing.T, instances int, credits float64) *cluster {
	c := newCluster(t, 1)
	c.topic.AddQueue()
	c.options.Connected = yes
	c.options.Credits = credits
	for i := range instances {
		c.start(fmt.Sprintf("%02d", i))
	}
	c.wantReady(30 * time.Second)
	sleep(15 * time.Second)
	return c
}

// talk has every instance append texts for a while, one after the other, and returns them.
func (c *cluster) talk(lasts, every time.Duration) (said []string) {
	live := c.live()
	for began := time.Now(); time.Since(began) < lasts; {
		for _, i := range live {
			said = append(said, i.mustSay(c.t))
			sleep(every / time.Duration(len(live)))
		}
	}
	return said
}

func (c *cluster) combiner() *instance {
	for _, i := range c.live() {
		if i.name == c.topic.Combiner() {
			return i
		}
	}
	return nil
}

func TestCombinerPublishesForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startCombining(t, 10, 900)
		if c.combiner() == nil {
			t.Fatal("no instance combines")
		}
		before := c.topic.Usage()
		said := c.talk(5*time.Second, 100*time.Millisecond) // 100 a second
		sleep(time.Second)
		after := c.topic.Usage()
		c.wantEachOnce(c.wantAlike(), said)
		messages, gathered := after.Messages-before.Messages, after.Gathered-before.Gathered
		if credits := (messages*(1+3*10) + gathered*3) / 6; credits > 900 || gathered < 100 {
			t.Errorf("%d messages to all and %d through the queue cost %d credits a second, want 900 at most",
				messages, gathered, credits)
		}
		for _, i := range c.live() {
			if got := i.node.Status().Latency; got > 300*time.Millisecond {
				t.Errorf("the last entry of %s took %v, want 300ms at most", i.name, got)
			}
			if got := i.node.Counters(); got.Gaps > 0 || got.Provisional > 0 {
				t.Errorf("Counters of %s = %+v, want no gap, and nothing late", i.name, got)
			}
		}
	})
}

// Nothing is lost with the combiner or its queue, and the order stays the same for all.
func TestCombinerFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		lasts time.Duration
		fail  func(c *cluster, combiner *instance)
	}{
		{"it dies", time.Second, func(c *cluster, combiner *instance) { c.kill(combiner) }},
		{"it leaves", time.Second, func(c *cluster, combiner *instance) {
			if err := c.leave(combiner); err != nil {
				c.t.Error(err)
			}
		}},
		{"it stalls for a moment", 3 * time.Second, func(c *cluster, combiner *instance) { combiner.bus.Stall(true) }},
		{"it stalls for long", 40 * time.Second, func(c *cluster, combiner *instance) { combiner.bus.Stall(true) }},
		{"sending fails often", 5 * time.Second, func(c *cluster, combiner *instance) {
			c.topic.SetFaults(backplanetest.Faults{Refuse: 0.2, Ambiguous: 0.2, Busy: 0.1, Repeat: 0.2})
		}},
		{"what is gathered is lost", 5 * time.Second, func(c *cluster, combiner *instance) {
			c.topic.SetFaults(backplanetest.Faults{LoseForAll: 0.2})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startCombining(t, 8, 900)
				said := c.talk(time.Second, 50*time.Millisecond)
				combiner := c.combiner()
				for _, i := range c.live() {
					if i != combiner {
						said = append(said, i.mustSay(t))
					}
				}
				test.fail(c, combiner)
				said = append(said, c.talk(test.lasts, 100*time.Millisecond)...)
				c.topic.SetFaults(backplanetest.Faults{})
				combiner.bus.Stall(false)
				sleep(30 * time.Second)
				c.wantReady(0)
				c.wantEachOnce(c.wantAlike(), said)
				said = c.talk(time.Second, 50*time.Millisecond)
				sleep(5 * time.Second)
				c.wantEachOnce(c.wantAlike(), said)
				if c.combiner() == nil {
					t.Error("no instance combines afterwards")
				}
			})
		})
	}
}

// A small cluster, and one without a queue, send directly.
func TestBatchesAreSentDirectlyWithoutACombiner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		small := startCombining(t, 6, 900)
		said := small.talk(time.Second, 100*time.Millisecond)
		sleep(5 * time.Second)
		small.wantEachOnce(small.wantAlike(), said)
		if got := small.topic.Usage().Gathered; got > 0 {
			t.Errorf("6 instances gathered %d batches, want none", got)
		}
		c := newCluster(t, 1)
		c.options = backplane.Options{Connected: yes}
		for i := range 8 {
			c.start(fmt.Sprint(i))
		}
		c.wantReady(30 * time.Second)
		sleep(10 * time.Second)
		said = c.talk(time.Second, 100*time.Millisecond)
		sleep(5 * time.Second)
		c.wantEachOnce(c.wantAlike(), said)
	})
}

// Thirty instances that all have something to say keep to the credits, also when the combiner fails: then they send
// directly, and one after the other. All at once they would cost two and a half times as much.
func TestThirtyInstancesKeepToTheCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const instances, credits = 30, 820
		c := startCombining(t, instances, credits)
		for c.combiner() == nil {
			sleep(time.Second)
		}
		sleep(10 * time.Second)
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 80 * time.Millisecond, DeliverTime: 40 * time.Millisecond})
		const every = 200 * time.Millisecond
		said := c.talk(3*time.Second, every) // at first some have not heard of the combiner, and send directly
		const standard = 1000                // credits a second of the Standard tier
		last := 0
		for second := range 10 {
			if second == 2 {
				c.combiner().bus.Stall(true)
			}
			before := c.topic.Usage()
			said = append(said, c.talk(time.Second, every)...)
			after := c.topic.Usage()
			cost := (after.Messages-before.Messages)*(1+instances) + 2*(after.Deliveries-before.Deliveries) +
				3*(after.Gathered-before.Gathered)
			if last+cost > 2*standard+500 { // signs of life and a probe may come together
				t.Errorf("second %d and the one before cost %d credits, want about the tier's", second, last+cost)
			}
			last = cost
		}
		for _, i := range c.live() {
			if got := i.node.Counters(); got.Evictions > 1 {
				t.Errorf("%s has seen %d evictions, want none but that of the stalled combiner", i.name, got.Evictions)
			}
			i.bus.Stall(false)
		}
		c.topic.SetFaults(backplanetest.Faults{})
		sleep(30 * time.Second)
		c.wantReady(0)
		c.wantEachOnce(c.wantAlike(), said)
	})
}
