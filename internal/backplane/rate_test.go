package backplane_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// Below the rate of sends every entry leaves at once. Above it batches grow, and no entry waits for long.
func TestSendRateBoundsBatches(t *testing.T) {
	for _, test := range []struct {
		name    string
		every   time.Duration
		entries int
		most    uint64 // batches
	}{
		{"quiet", 200 * time.Millisecond, 50, 52},
		{"busy", time.Millisecond, 10_000, 10*10 + 12},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1)
				c.options.SendRate = 10
				a := c.start("a")
				c.wantReady(30 * time.Second)
				before := a.node.Counters()
				for range test.entries {
					a.mustSay(t)
					sleep(test.every)
				}
				sleep(time.Second)
				after := a.node.Counters()
				if status := a.node.Status(); status.Waiting > 0 || status.Latency > 200*time.Millisecond {
					t.Errorf("%d entries wait, the last one took %v, want none and 200ms at most",
						status.Waiting, status.Latency)
				}
				if n := after.Batches - before.Batches; n > test.most || n == 0 {
					t.Errorf("%d entries went in %d batches, want no more than %d", test.entries, n, test.most)
				}
			})
		})
	}
}
