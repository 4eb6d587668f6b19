package worker

import (
	"context"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/servicebus"
)

// firstSweep is the pause before the first and the second sweep of a new instance, which are enough to remove the
// subscriptions of an earlier cluster that ended as a whole.
const firstSweep = 20 * time.Second

// cleanUp removes orphaned subscriptions now and then, while this instance is the oldest of the cluster.
func (c *cluster) cleanUp(ctx context.Context) {
	janitor := c.service.Janitor()
	timer := time.NewTimer(firstSweep)
	defer timer.Stop()
	for sweeps := 0; ; sweeps++ {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if members := c.node.Status().Members; len(members) > 0 && members[0].Self {
			if _, err := janitor.Sweep(ctx, instanceNames(members)); err != nil && ctx.Err() == nil {
				c.log.Warn("removing orphaned subscriptions failed", "err", err)
			}
		}
		pause := servicebus.SweepEvery
		if sweeps == 0 {
			pause = firstSweep
		}
		timer.Reset(pause)
	}
}

func instanceNames(members []backplane.Member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.Instance
	}
	return all
}
