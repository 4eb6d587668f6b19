package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// A line may be kept longer than Options.Retention by a hundredth of it, within these bounds: each cut-off is an entry.
const (
	minRetentionStep = time.Minute
	maxRetentionStep = time.Hour
)

func (o *Options) retentionStep() time.Duration {
	return min(max(o.Retention/100, minRetentionStep), maxRetentionStep)
}

// retainLocked has the log drop lines that are too old, if no instance has lately, and again from then on. Any instance
// does it whose options say so; of several times the shortest counts, because a cut-off never goes back.
func (c *Chat) retainLocked(now time.Time) {
	step := c.options.retentionStep()
	c.timers.Add(now.Add(step/2), c.retainLocked)
	cut := c.backplane.Time().Add(-c.options.Retention).UnixMilli()
	if cut-c.state.Retained() < step.Milliseconds() || c.state.Rules() < state.HistorySince ||
		!c.backplane.Cluster().Ready {
		return
	}
	retain := state.Command{Action: &state.Retain{Before: cut}}
	if err := c.backplane.Log.Append(retain.Encode()); err != nil {
		c.logger().Warn("log refuses an entry", "err", err)
	}
}

// retainedLocked notes that old lines were dropped.
func (c *Chat) retainedLocked() {
	for _, r := range c.local.rooms {
		r.history = cachedHistory{}
	}
}
