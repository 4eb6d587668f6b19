package socketio

import (
	"errors"
	"sync"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/timerheap"
)

// connectTimeouts closes clients that have joined no namespace in time. All clients of a server share
// one timer.
type connectTimeouts struct {
	running sync.WaitGroup // calls of expire that have seen closed as false

	mu sync.Mutex
	// mu guards
	heap   *timerheap.Heap[*client]
	closed bool
}

// connectTimeout is the handle to take a client out again.
type connectTimeout = timerheap.Entry[*client]

func newConnectTimeouts() *connectTimeouts {
	t := &connectTimeouts{}
	t.heap = timerheap.New[*client](t.expire)
	return t
}

// add closes the client after d unless remove comes first.
func (t *connectTimeouts) add(c *client, d time.Duration) *connectTimeout {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heap.Add(time.Now().Add(d), c)
}

// remove forgets a time-out. One that is due already may expire all the same.
func (t *connectTimeouts) remove(entry *connectTimeout) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heap.Remove(entry)
}

// close forgets all time-outs and waits for those that are expiring.
func (t *connectTimeouts) close() {
	t.mu.Lock()
	t.closed = true
	t.heap.Stop()
	t.mu.Unlock()
	t.running.Wait()
}

// expire closes every client whose time is over. The timer calls it on a goroutine of its own.
func (t *connectTimeouts) expire() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.running.Add(1)
	defer t.running.Done()
	var due []*client
	for now := time.Now(); ; {
		c, ok := t.heap.Pop(now)
		if !ok {
			break
		}
		due = append(due, c)
	}
	t.mu.Unlock()
	for _, c := range due {
		c.expire()
	}
}

// expire closes the client unless it has joined a namespace at the last moment.
func (c *client) expire() {
	c.mu.Lock()
	joined := c.joined
	c.mu.Unlock()
	switch {
	case joined:
	case c.isRaw():
		c.session.Close(errors.Join(ErrConnectTimeout,
			&engineio.ProtocolError{Code: closePolicyViolation, Reason: ErrConnectTimeout.Error()}))
	default:
		c.session.Close(ErrConnectTimeout)
	}
}
