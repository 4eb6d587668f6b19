package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// Apply applies an entry of the log, of any instance: it decodes the command, applies it to the state, replies to the
// client that is waiting for it, and broadcasts what has changed.
func (c *Chat) Apply(e Entry) {
	command, err := state.DecodeCommand(e.Body)
	if err != nil {
		c.countMalformed()
		c.logger().Warn("entry is not a command", "instance", e.Instance, "err", err)
		return
	}
	c.mu.Lock()
	defer c.unlock()
	outcome, changes := c.state.Apply(e, &command)
	var p *pendingCommand
	if e.Instance == c.local.instance {
		p = c.commands.take(command.Ref)
	}
	c.prepareLocked(changes)
	c.replyLocked(p, outcome)
	c.broadcastLocked(changes)
	c.withdrawLocked(p)
	c.finishLocked()
}

// Gone applies the end of an instance. at is the entry that says so.
func (c *Chat) Gone(at Entry, instance string) {
	c.mu.Lock()
	defer c.unlock()
	changes := c.state.Gone(at, instance)
	c.prepareLocked(changes)
	c.broadcastLocked(changes)
	c.finishLocked()
	c.timers.Add(time.Now().Add(statusAfterGone), c.checkClusterLocked)
}

// prepareLocked settles what replies and broadcasts depend on: up to where clients have been sent the log, and which
// clients the users are on.
func (c *Chat) prepareLocked(changes []state.Change) {
	if c.coalesceLocked(changes) {
		c.deferRostersLocked(time.Now())
	}
	c.bindLocked(changes)
}

// finishLocked sends what entries have in common: the rosters that have changed, and the log to clients that were ahead
// of it.
func (c *Chat) finishLocked() {
	c.sendRostersLocked()
	c.catchUpLocked()
}
