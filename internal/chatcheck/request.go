package chatcheck

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"chatapp/internal/chatclient"
)

// request is an event that the server has to acknowledge.
type request struct {
	event  string
	args   []any
	repeat bool // sent again when the connection was lost
	claims bool // requests the client's own name, which all others wait for
	id     int  // of the acknowledgement; 0: not sent on this connection
	answer chan answer
}

type answer struct {
	args []json.RawMessage
	err  error
}

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

// flush writes the requests that have not been sent, in order.
func (c *Client) flush() {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	for {
		c.mu.Lock()
		conn := c.link.conn
		i := slices.IndexFunc(c.requests, func(r *request) bool { return r.id == 0 && (c.link.named || r.claims) })
		if conn == nil || i < 0 {
			c.mu.Unlock()
			return
		}
		r := c.requests[i]
		c.lastID++
		r.id = c.lastID
		id := r.id
		c.mu.Unlock()
		if conn.Emit(r.event, id, r.args...) != nil {
			return // the reader notices the end, and sends the request on the next connection
		}
	}
}

// acknowledged passes an acknowledgement on to its request.
func (c *Client) acknowledged(m chatclient.Message) {
	c.mu.Lock()
	i := slices.IndexFunc(c.requests, func(r *request) bool { return r.id == m.AckID })
	if i < 0 {
		c.mu.Unlock()
		return // the request's caller has given up
	}
	r := c.requests[i]
	c.requests = slices.Delete(c.requests, i, i+1)
	c.mu.Unlock()
	if r.claims {
		c.claimed(m.Args)
		return
	}
	r.answer <- answer{args: m.Args}
}

// disconnected ends what was under way on the connection that has ended.
func (c *Client) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link.named {
		c.record.disconnected(time.Now())
	}
	c.link.conn, c.link.named, c.link.live = nil, false, false
	clear(c.record.waiting) // the server resolves provisional messages within a connection only
	c.notifyLocked()
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
