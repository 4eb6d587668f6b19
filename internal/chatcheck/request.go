package chatcheck

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// request sends an event as soon as there is a connection for it, and waits for the acknowledgement.
func (c *Client) request(ctx context.Context, r *request) ([]json.RawMessage, error) {
	r.answer = make(chan answer, 1)
	if c.ended() {
		return nil, ErrClosed
	}
	c.mu.Lock()
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	c.flush()
	select {
	case a := <-r.answer:
		return a.args, a.err
	case <-ctx.Done():
		c.forget(r)
		return nil, ctx.Err()
	case <-c.done:
		return nil, ErrClosed
	}
}

func (c *Client) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *Client) forget(r *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = slices.DeleteFunc(c.requests, func(other *request) bool { return other == r })
}

// flush writes what has been asked and not been sent, in order. Those who call it take turns.
func (c *Client) flush() {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		c.mu.Lock()
		conn := c.conn
		i := slices.IndexFunc(c.requests, func(r *request) bool { return r.id == 0 && (c.named || r.claims) })
		if conn == nil || i < 0 {
			c.mu.Unlock()
			return
		}
		r := c.requests[i]
		c.lastID++
		r.id = c.lastID
		data := c.options.Door.emit(r.event, r.args, r.id)
		c.mu.Unlock()
		if writeText(conn, data) != nil {
			return // the reader notices the end, and asks again on the next connection
		}
	}
}

// answered finds who has asked.
func (c *Client) answered(m received) {
	c.mu.Lock()
	i := slices.IndexFunc(c.requests, func(r *request) bool { return r.id == m.ack })
	if i < 0 {
		c.mu.Unlock()
		return // who has asked did not wait for it
	}
	r := c.requests[i]
	c.requests = slices.Delete(c.requests, i, i+1)
	c.mu.Unlock()
	if r.claims {
		c.claimed(m.args)
		return
	}
	r.answer <- answer{args: m.args}
}

// lost takes note that the connection has ended.
func (c *Client) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.named {
		c.record.away(time.Now())
	}
	c.conn, c.named, c.live = nil, false, false
	c.changedLocked()
	c.requests = slices.DeleteFunc(c.requests, func(r *request) bool {
		sent := r.id != 0
		r.id = 0
		if r.repeat || !sent && !r.claims {
			return false
		}
		r.answer <- answer{err: ErrLost}
		return true
	})
}
