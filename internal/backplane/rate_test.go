package backplane_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

// Below the rate of credits every entry leaves at once. Above it batches grow, no second costs more than
// the credits, and no entry waits for long.
func TestCreditsBoundBatches(t *testing.T) {
	const credits = 900
	for _, test := range []struct {
		instances int
		every     time.Duration // of each instance's entries
		latency   time.Duration // at most, of the last entry
		least     int           // credits that a second uses: what is left out makes entries wait longer
	}{
		{1, time.Second, time.Millisecond, 0},
		{1, time.Millisecond, 10 * time.Millisecond, 850},
		{3, time.Second, time.Millisecond, 0},
		{3, 3 * time.Millisecond, 50 * time.Millisecond, 840},
		{3, 30 * time.Millisecond, 50 * time.Millisecond, 840},
		{6, 10 * time.Millisecond, 350 * time.Millisecond, 750},
	} {
		t.Run(fmt.Sprintf("%d, every %v", test.instances, test.every), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1)
				c.options.Credits = credits
				for i := range test.instances {
					c.start(fmt.Sprint(i))
				}
				c.wantReady(30 * time.Second)
				sleep(3 * time.Second)
				if test.instances > 1 {
					// Without a delay all see everything at once, and never send at the same moment.
					c.topic.SetFaults(backplanetest.Faults{
						PublishTime: 3 * time.Millisecond, DeliverTime: 3 * time.Millisecond,
					})
					test.latency += 6 * time.Millisecond
				}
				cost := 1 + 3*test.instances
				for range 5 {
					before, began := c.topic.Usage(), time.Now()
					for time.Since(began) < time.Second {
						for _, i := range c.live() {
							i.mustSay(t)
						}
						sleep(test.every)
					}
					got := (c.topic.Usage().Messages - before.Messages) * cost
					if got > credits || got < test.least {
						t.Errorf("a second costs %d credits, want %d to %d", got, test.least, credits)
					}
				}
				sleep(time.Second)
				for _, i := range c.live() {
					if status := i.node.Status(); status.Waiting > 0 || status.Latency > test.latency {
						t.Errorf("%d entries wait, the last one took %v, want none and %v at most",
							status.Waiting, status.Latency, test.latency)
					}
				}
			})
		})
	}
}
