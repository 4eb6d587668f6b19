package emulator

import "sync"

// wakeups is how other goroutines reach the loop of a connection: they queue a link or a function, and wake it.
type wakeups struct {
	wake chan struct{} // size 1

	mu sync.Mutex
	// mu guards
	attended bool       // a turn has begun and looks at the queues before it ends
	waiting  []wakeable // each once
	tasks    []func()
}

// wakeable is a link that the broker has news for.
type wakeable interface {
	// woken runs on the loop.
	woken()
	// clearWaitingLocked notes that the link is no longer queued. The caller holds wakeups.mu.
	clearWaitingLocked()
}

// wakeLink queues a link for the loop, once until the loop has looked at it. queued is the link's own mark, which mu
// guards. It may be called from any goroutine and under any lock.
func (c *conn) wakeLink(l wakeable, queued *bool) {
	c.mu.Lock()
	wake := !*queued && !c.attended
	if !*queued {
		*queued = true
		c.waiting = append(c.waiting, l)
	}
	c.mu.Unlock()
	if wake {
		c.wakeLoop()
	}
}

func (c *conn) wakeLoop() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// do queues f for the loop and does not wait for it. A connection that has ended does not run it.
func (c *conn) do(f func()) {
	c.mu.Lock()
	c.tasks = append(c.tasks, f)
	wake := !c.attended
	c.mu.Unlock()
	if wake {
		c.wakeLoop()
	}
}

// handleWakeups runs the queued functions, then looks at the queued links.
func (c *conn) handleWakeups() {
	c.mu.Lock()
	links, tasks := c.waiting, c.tasks
	c.waiting, c.tasks = nil, nil
	for _, l := range links {
		l.clearWaitingLocked()
	}
	c.mu.Unlock()
	for _, f := range tasks {
		f()
	}
	for _, l := range links {
		if c.finished {
			return
		}
		l.woken()
	}
}
