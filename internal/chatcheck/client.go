package chatcheck

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Options say who a client is and where the chat is.
type Options struct {
	URLs  []string // http or https addresses of instances; each connection is made to the next one
	First int      // index of the URL to begin with, modulo their number
	Door  Door
	Name  string // nickname; taken by nobody else

	// Silence is how long the plain door may be without a heartbeat before the connection counts as lost; 50 s. Socket.IO's says so
	// itself. Half of it is the most that opening a WebSocket may take.
	Silence time.Duration
	// Insecure believes any certificate, as of a test deployment.
	Insecure bool
}

// Client is one user of the chat. A lost connection is none of its user's business: Say and Ask wait until it is back.
type Client struct {
	options Options // immutable
	dialer  websocket.Dialer
	cancel  context.CancelFunc // ends the reader
	done    chan struct{}      // closed when the reader has ended
	writing sync.Mutex         // held while writing

	mu sync.Mutex
	// mu guards
	conn     *websocket.Conn // nil while there is none
	named    bool            // this connection may speak
	live     bool            // it has been told all it had missed: the server says its status then
	silence  time.Duration
	token    string
	pid      string
	offset   string
	next     int           // URL of the next connection
	away     time.Duration // to be waited before it
	leaving  bool
	requests []*request // not answered, in the order made
	lastID   int
	record   record
	changed  chan struct{} // closed, and another made, when anything here has changed
}

// request is an event that wants an answer.
type request struct {
	event  string
	args   []any
	repeat bool // asked again after the connection was lost
	claims bool // asks for the client's own name: goes ahead of having it
	id     int  // ack id; 0: not sent on this connection
	answer chan answer
}

type answer struct {
	args []json.RawMessage
	err  error
}

// ErrLost ends a question whose answer the connection's end has taken.
var ErrLost = errors.New("connection lost")

// ErrClosed is what a closed client says.
var ErrClosed = errors.New("client closed")

// Join connects a client and waits until it has its nickname; ctx bounds only that. The client lives until Close, Leave or Vanish.
func Join(ctx context.Context, o Options) (*Client, error) {
	if o.Silence == 0 {
		o.Silence = 50 * time.Second
	}
	c := &Client{options: o, done: make(chan struct{}), next: o.First, changed: make(chan struct{}),
		dialer: websocket.Dialer{HandshakeTimeout: min(10*time.Second, o.Silence/2), TLSClientConfig: &tls.Config{InsecureSkipVerify: o.Insecure}}}
	c.record.Name = o.Name
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go c.run(reading)
	if err := c.Await(ctx, func(s State) bool { return s.Named }); err != nil {
		trouble := c.Record().Troubles
		c.Close()
		return nil, fmt.Errorf("join as %s: %w; %v", o.Name, err, trouble)
	}
	return c, nil
}

// Name is the client's nickname.
func (c *Client) Name() string { return c.options.Name }

// State is a client at a moment.
type State struct {
	Named    bool // connected, under its name
	Heard    int  // messages of others, all told
	Returns  int
	Instance string // that serves it, or did last
}

func (c *Client) stateLocked() State {
	s := State{Named: c.named, Heard: c.record.heard, Returns: c.record.Returns}
	if n := len(c.record.Instances); n > 0 {
		s.Instance = c.record.Instances[n-1]
	}
	return s
}

// State tells how the client is.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stateLocked()
}

// Record is a copy of all that the client remembers.
func (c *Client) Record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.copy()
}

// Await waits until a condition holds that depends on the client alone.
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

func (c *Client) changedLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Say says something in the lobby and waits until the log has it, however often the connection is lost meanwhile. A refusal for now, as
// for too much haste, is waited out.
func (c *Client) Say(ctx context.Context, text string) (Said, error) {
	said := Said{Text: text, At: time.Now()}
	c.mu.Lock()
	c.record.Speaks = true
	c.mu.Unlock()
	cid := rand.Text()
	for {
		args, err := c.request(ctx, &request{event: "user message", args: []any{text, map[string]string{"cid": cid}}, repeat: true})
		if err != nil {
			return said, fmt.Errorf("say %q: %w", text, err)
		}
		var a struct {
			OK      bool
			ID      string
			Code    string
			Message string
			Wait    int64
		}
		if err := arguments(args, &a); err != nil {
			return said, fmt.Errorf("say %q: answer: %w", text, err)
		}
		switch {
		case a.OK:
			said.ID, said.Took = a.ID, time.Since(said.At)
			c.mu.Lock()
			c.record.Said = append(c.record.Said, said)
			c.changedLocked()
			c.mu.Unlock()
			return said, nil
		case a.Code != "too_fast" && a.Code != "overloaded" && a.Code != "unavailable" && a.Code != "no_name":
			return said, fmt.Errorf("say %q: refused: %s: %s", text, a.Code, a.Message)
		}
		if err := pause(ctx, max(time.Duration(a.Wait)*time.Millisecond, 100*time.Millisecond)); err != nil {
			return said, fmt.Errorf("say %q: refused: %s: %w", text, a.Code, err)
		}
	}
}

// Ask emits an event and decodes the first argument of its acknowledgement.
func (c *Client) Ask(ctx context.Context, v any, event string, args ...any) error {
	return c.AskAll(ctx, []any{v}, event, args...)
}

// AskAll emits an event and decodes as many arguments of its acknowledgement as there are values.
func (c *Client) AskAll(ctx context.Context, values []any, event string, args ...any) error {
	got, err := c.request(ctx, &request{event: event, args: args})
	if err == nil {
		err = arguments(got, values...)
	}
	if err != nil {
		return fmt.Errorf("ask %s: %w", event, err)
	}
	return nil
}

// Presence is who is in the lobby, as the client's instance has it; true is for a user whose connection is lost.
func (c *Client) Presence(ctx context.Context) (map[string]bool, error) {
	var who struct {
		OK    bool
		Code  string
		Users []struct {
			Name string
			Away bool
		}
	}
	if err := c.Ask(ctx, &who, "who"); err != nil {
		return nil, err
	}
	if !who.OK {
		return nil, fmt.Errorf("ask who: refused: %s", who.Code)
	}
	all := make(map[string]bool)
	for _, u := range who.Users {
		all[u.Name] = u.Away
	}
	return all, nil
}

// Cut breaks the connection without a word. The client comes back after a while.
func (c *Client) Cut(away time.Duration) {
	c.mu.Lock()
	c.away = away
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		_ = conn.NetConn().Close()
	}
}

// Vanish breaks the connection without a word, for ever.
func (c *Client) Vanish() {
	c.cancel()
	<-c.done
}

// Leave leaves the chat in order: the name is free at once.
func (c *Client) Leave() { c.end(c.options.Door.disconnect()) }

// Close closes the connection in order, as a page does that is closed.
func (c *Client) Close() { c.end(nil) }

func (c *Client) end(last []byte) {
	c.mu.Lock()
	conn := c.conn
	c.leaving = true
	c.mu.Unlock()
	if conn != nil {
		if last != nil {
			_ = c.write(conn, last) // whoever is gone need not be told
		}
		goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
		_ = conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
		timer := time.AfterFunc(time.Second, c.cancel) // the server's answer ends the reader sooner
		defer timer.Stop()
	} else {
		c.cancel()
	}
	<-c.done
	c.cancel()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
