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

func retentionStep(retention time.Duration) time.Duration {
	return min(max(retention/100, minRetentionStep), maxRetentionStep)
}

// retentionLocked is how long lines are kept. Under older rules the state does not know, and of the instances' several
// times the shortest counts, because a cut-off never goes back.
func (c *Chat) retentionLocked() time.Duration {
	if c.state.Rules() < state.SettingsSince {
		return c.options.Retention
	}
	return time.Duration(c.state.Settings().RetentionMillis) * time.Millisecond
}

// retainLocked has the log drop lines that are too old, if no instance has lately, and again from then on. Any instance
// does it.
func (c *Chat) retainLocked(now time.Time) {
	retention := c.retentionLocked()
	step := retentionStep(retention)
	c.timers.Add(now.Add(step/2), c.retainLocked)
	cut := c.backplane.Time().Add(-retention).UnixMilli()
	if retention <= 0 || cut-c.state.Retained() < step.Milliseconds() || c.state.Rules() < state.HistorySince ||
		!c.backplane.Cluster().Ready {
		return
	}
	retain := state.Command{Action: &state.Retain{Before: cut}}
	if err := c.backplane.Log.Append(retain.Encode()); err != nil {
		c.logger().Warn("log refuses an entry", "err", err)
	}
}

// linesDroppedLocked notes that an entry may have dropped lines of any room.
func (c *Chat) linesDroppedLocked() {
	for _, r := range c.local.rooms {
		r.history = cachedHistory{}
	}
}
