package chat

import (
	"log/slog"
	"sync"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/timerheap"
)

// core is what the parts of a Chat share. Each part has a file of its own, with its fields and what it does.
type core struct {
	// Immutable once Chat.Attach has returned.
	options   Options
	backplane Backplane

	mu     sync.Mutex // guards what follows, and the parts of the Chat
	state  *state.State
	timers *timerheap.Heap[func(now time.Time)]
	counts counts
	closed bool // clients are refused what they request
	out    outbox
}

// unlock ends a critical section, and performs what it has put into the outbox.
func (c *core) unlock() {
	idle := len(c.out.queue) == 0
	c.mu.Unlock()
	if !idle {
		c.out.deliver(&c.mu)
	}
}

// runTimers is the wake function of the timers.
func (c *core) runTimers() {
	c.mu.Lock()
	defer c.unlock()
	now := time.Now()
	for {
		run, ok := c.timers.Pop(now)
		if !ok {
			return
		}
		run(now)
	}
}

func (c *core) logger() *slog.Logger { return c.options.Logger }

// numUsersLocked returns the number of a room's members.
func (c *core) numUsersLocked(room string) int {
	if r := c.state.Room(room); r != nil {
		return r.NumMembers()
	}
	return 0
}
