package chatcheck

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"chatapp/internal/chatclient"
	"chatapp/internal/pause"
)

// Options configure a client.
type Options struct {
	URLs     []string // http or https addresses of instances; each connection goes to the next one
	First    int      // index of the URL to begin with, modulo their number
	Protocol chatclient.Protocol
	Name     string // nickname, which no other client may use

	// Silence is how long a raw WebSocket may be without a heartbeat before the connection counts
	// as lost; 0 means 50 s. Socket.IO's handshake has its own. Half of it, but at most 10 s,
	// bounds the opening of a connection.
	Silence time.Duration
	// Insecure accepts any certificate, such as that of a test deployment.
	Insecure bool
}

// Client is one user of the chat. When its connection is lost it connects again by itself, and
// calls under way wait until it has.
type Client struct {
	options  Options             // immutable
	targets  []chatclient.Target // immutable
	cancel   context.CancelFunc  // ends the reader
	done     chan struct{}       // closed when the reader has ended
	flushing sync.Mutex          // held while requests are written, which keeps their order

	mu sync.Mutex
	// mu guards
	link        link
	credentials credentials
	requests    []*request // not answered, in the order made
	lastID      int        // of a request
	record      record
	changed     chan struct{} // closed, and another made, when anything here has changed
}

// link is a client's connection, or its search for one.
type link struct {
	conn    *chatclient.Conn // nil while there is none
	named   bool             // the connection may send messages
	live    bool             // it has received all that was missed: the server sends its status then
	next    int              // index of the URL of the next connection
	pause   time.Duration    // to be waited before that
	leaving bool             // there will be no other
}

// credentials are by what a server knows a client again.
type credentials struct {
	token  string // of the nickname
	pid    string // of the Socket.IO session
	offset string // the log index of the last event received
}

// ErrLost ends a request whose answer was lost together with the connection.
var ErrLost = errors.New("connection lost")

// ErrClosed is returned by the methods of a closed client.
var ErrClosed = errors.New("client closed")

// Join connects a client and waits until it has its nickname. ctx bounds only that: the client
// lives until Close, Leave or Vanish.
func Join(ctx context.Context, o Options) (*Client, error) {
	if o.Silence == 0 {
		o.Silence = 50 * time.Second
	}
	c := &Client{options: o, done: make(chan struct{}), changed: make(chan struct{})}
	c.link.next = o.First
	c.record.Name, c.record.raw = o.Name, o.Protocol == chatclient.Raw
	for _, url := range o.URLs {
		target, err := chatclient.ParseTarget(url, o.Protocol)
		if err != nil {
			return nil, err
		}
		target.Insecure = o.Insecure
		c.targets = append(c.targets, target)
	}
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go c.run(reading)
	if err := c.Await(ctx, func(s State) bool { return s.Named }); err != nil {
		problems := c.Record().Problems
		c.Close()
		return nil, fmt.Errorf("join as %s: %w; %v", o.Name, err, problems)
	}
	return c, nil
}

// Name returns the client's nickname.
func (c *Client) Name() string { return c.options.Name }

// State is a client at a moment.
type State struct {
	Named      bool // connected under its nickname
	Received   int  // messages of others, in all
	Reconnects int
	Instance   string // the instance that serves the client, or did last
}

func (c *Client) stateLocked() State {
	s := State{Named: c.link.named, Received: c.record.received, Reconnects: c.record.Reconnects}
	if n := len(c.record.Instances); n > 0 {
		s.Instance = c.record.Instances[n-1]
	}
	return s
}

// State returns the client's present state.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateLocked()
}

// Record returns a copy of all that the client has recorded.
func (c *Client) Record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.copy()
}

// Await waits until holds reports true of the client's state.
func (c *Client) Await(ctx context.Context, holds func(State) bool) error {
	for {
		c.mu.Lock()
		ok, changed := holds(c.stateLocked()), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
			return ErrClosed
		}
	}
}

func (c *Client) notifyLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Send sends a message to the lobby and waits until the log has it, however often the connection is
// lost before. It tries again after a refusal that is only for now, such as one of a rate limit.
func (c *Client) Send(ctx context.Context, text string) (Sent, error) {
	sent := Sent{Text: text, At: time.Now()}
	c.mu.Lock()
	c.record.Sends = true
	c.mu.Unlock()
	cid := rand.Text()
	for {
		args, err := c.request(ctx, &request{
			event: "user message", args: []any{text, map[string]string{"cid": cid}}, repeat: true,
		})
		if err != nil {
			return sent, fmt.Errorf("send %q: %w", text, err)
		}
		var a struct {
			OK      bool
			ID      string
			Code    string
			Message string
			Wait    int64
		}
		if err := decode(args, &a); err != nil {
			return sent, fmt.Errorf("send %q: answer: %w", text, err)
		}
		switch {
		case a.OK:
			sent.ID, sent.Took = a.ID, time.Since(sent.At)
			c.mu.Lock()
			c.record.Sent = append(c.record.Sent, sent)
			c.notifyLocked()
			c.mu.Unlock()
			return sent, nil
		case a.Code != "too_fast" && a.Code != "overloaded" && a.Code != "unavailable" && a.Code != "no_name":
			return sent, fmt.Errorf("send %q: refused: %s: %s", text, a.Code, a.Message)
		}
		if err := pause.For(ctx, max(time.Duration(a.Wait)*time.Millisecond, 100*time.Millisecond)); err != nil {
			return sent, fmt.Errorf("send %q: refused: %s: %w", text, a.Code, err)
		}
	}
}

// EmitWithAck emits an event and waits for its acknowledgement. It decodes as many of the
// acknowledgement's arguments as there are values. The error wraps ErrLost if the connection was
// lost in between.
func (c *Client) EmitWithAck(ctx context.Context, values []any, event string, args ...any) error {
	got, err := c.request(ctx, &request{event: event, args: args})
	if err == nil {
		err = decode(got, values...)
	}
	if err != nil {
		return fmt.Errorf("emit %s: %w", event, err)
	}
	return nil
}

// Presence returns the names of the lobby's users, as the client's instance has them. The value is
// true for a user who is away: whose connection is lost.
func (c *Client) Presence(ctx context.Context) (map[string]bool, error) {
	var answer struct {
		OK    bool
		Code  string
		Users []struct {
			Name string
			Away bool
		}
	}
	if err := c.EmitWithAck(ctx, []any{&answer}, "who"); err != nil {
		return nil, err
	}
	if !answer.OK {
		return nil, fmt.Errorf("emit who: refused: %s", answer.Code)
	}
	all := make(map[string]bool)
	for _, u := range answer.Users {
		all[u.Name] = u.Away
	}
	return all, nil
}

// Cut breaks the connection as a network does, without a closing handshake. The client connects
// again after the pause.
func (c *Client) Cut(pause time.Duration) {
	c.mu.Lock()
	c.link.pause = pause
	conn := c.link.conn
	c.mu.Unlock()
	if conn != nil {
		conn.Abort()
	}
}

// Vanish breaks the connection without a closing handshake, for good.
func (c *Client) Vanish() {
	c.cancel()
	<-c.done
}

// Leave leaves the chat: the server frees the nickname at once.
func (c *Client) Leave() { c.end((*chatclient.Conn).Disconnect) }

// Close closes the connection with a closing handshake, as a browser does with its page.
func (c *Client) Close() { c.end(nil) }

// closeTimeout is how long a server has to answer a closing handshake.
const closeTimeout = time.Second

func (c *Client) end(before func(*chatclient.Conn) error) {
	c.mu.Lock()
	conn := c.link.conn
	c.link.leaving = true
	c.mu.Unlock()
	if conn == nil {
		c.cancel()
	} else {
		if before != nil {
			_ = before(conn) // a lost connection ends the client as well
		}
		conn.StartClose(closeTimeout)
	}
	<-c.done
	c.cancel()
}

// decode decodes as many arguments as there are values; one that is nil is skipped.
func decode(args []json.RawMessage, values ...any) error {
	if len(args) < len(values) {
		return fmt.Errorf("%d arguments, want %d", len(args), len(values))
	}
	for i, v := range values {
		if v == nil {
			continue
		}
		if err := json.Unmarshal(args[i], v); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	return nil
}
