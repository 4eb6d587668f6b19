package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// Apply applies an entry of the log, of any instance: it decodes the command, applies it to the state, replies to the
// client that is waiting for it, and broadcasts what has changed. An error says that the entry was skipped, as on every
// other instance.
func (c *Chat) Apply(e Entry) error {
	command, err := state.DecodeCommand(e.Body)
	c.mu.Lock()
	defer c.unlock()
	if err != nil {
		c.counts.malformed++
		c.state.Skip(e)
		return err
	}
	rooms, lines := c.state.Evictions()
	outcome, changes, err := c.state.Apply(e, &command)
	var p *pendingCommand
	if e.Instance == c.local.instance {
		p = c.commands.take(command.Ref)
	}
	c.auditEvictionsLocked(p, changes, rooms, lines)
	switch command.Action.(type) {
	case *state.Retain, *state.Adjust:
		c.linesDroppedLocked()
	}
	c.recordLocked(e.Index, changes)
	c.prepareLocked(changes)
	c.replyLocked(p, outcome)
	c.broadcastLocked(changes)
	c.withdrawLocked(p)
	if e.Again && p == nil && e.Instance == c.local.instance {
		c.nicknames.tellAgainLocked(command.Conn)
	}
	c.finishLocked()
	return err
}

// Skip goes on behind an entry without applying it.
func (c *Chat) Skip(e Entry) {
	c.mu.Lock()
	defer c.unlock()
	c.state.Skip(e)
}

// Begin begins a log with the state that this instance has. at is its first entry.
func (c *Chat) Begin(at Entry) {
	c.mu.Lock()
	defer c.unlock()
	c.state.Begin(at)
}

// Raise has the state follow a version of state.Rules that all members of the cluster know. at is the entry that says
// so.
func (c *Chat) Raise(at Entry, version uint64) {
	c.mu.Lock()
	defer c.unlock()
	c.state.Raise(at, version)
}

// Gone applies the end of an instance. at is the entry that says so.
func (c *Chat) Gone(at Entry, instance string) {
	c.mu.Lock()
	defer c.unlock()
	changes := c.state.Gone(at, instance)
	c.recordLocked(at.Index, changes)
	c.prepareLocked(changes)
	c.broadcastLocked(changes)
	c.finishLocked()
	c.timers.Add(time.Now().Add(statusAfterGone), c.status.checkLocked)
}

// prepareLocked settles what replies and broadcasts depend on: up to where clients have been sent the log, and which
// clients the users are on.
func (c *Chat) prepareLocked(changes []state.Change) {
	if c.lines.coalesceLocked(changes) {
		c.rosters.deferLocked(time.Now())
	}
	c.nicknames.bindLocked(changes)
}

// finishLocked sends what entries have in common: the rosters that have changed, and the log to clients that were ahead
// of it.
func (c *Chat) finishLocked() {
	c.rosters.sendLocked()
	c.resumption.catchUpLocked()
}
