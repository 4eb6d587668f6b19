package chatcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// The pauses between two attempts to connect: as Socket.IO's clients make them, only shorter.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

// writeTimeout is how long a server may refuse to read.
const writeTimeout = 10 * time.Second

// run is the client's goroutine: it connects, reads until the connection ends, and comes back.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	wait := firstPause
	for ctx.Err() == nil {
		accepted, err := c.connection(ctx)
		c.lost()
		c.mu.Lock()
		leaving, away := c.leaving, c.away
		c.away = 0
		if err != nil && !leaving && !accepted {
			c.record.trouble("not connected: %v", err)
		}
		c.mu.Unlock()
		if leaving {
			break
		}
		if accepted {
			wait = firstPause
		}
		if pause(ctx, away+wait/2+rand.N(wait)) != nil {
			break
		}
		wait = min(2*wait, maxPause)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		r.answer <- answer{err: ErrClosed}
	}
	c.requests = nil
}

// connection is one connection's life. It tells whether the server had let the client in.
func (c *Client) connection(ctx context.Context) (accepted bool, err error) {
	c.mu.Lock()
	url := c.options.URLs[c.next%len(c.options.URLs)]
	c.next++
	c.silence = c.options.Silence
	c.mu.Unlock()
	conn, _, err := c.dialer.DialContext(ctx, "ws"+strings.TrimPrefix(strings.TrimSuffix(url, "/"), "http")+c.options.Door.path(), nil)
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer func() {
		stop()
		_ = conn.Close()
	}()
	c.mu.Lock()
	c.conn = conn
	c.mu.Unlock()
	conn.SetPingHandler(func(data string) error {
		c.heartbeat(conn)
		_ = conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		return nil
	})
	if c.options.Door == Bare {
		if err := c.write(conn, c.options.Door.connect(c.auth())); err != nil {
			return false, err
		}
	}
	c.heartbeat(conn)
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return accepted, err
		}
		m, err := c.options.Door.parse(data)
		if err != nil {
			c.mu.Lock()
			c.record.trouble("%v", err)
			c.mu.Unlock()
			return accepted, err
		}
		if m.kind == kindConnected {
			accepted = true
		}
		if err := c.message(conn, m); err != nil {
			return accepted, err
		}
	}
}

// heartbeat gives the server until the next one.
func (c *Client) heartbeat(conn *websocket.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = conn.SetReadDeadline(time.Now().Add(c.silence)) // fails only on a closed connection, which reading tells
}

// auth is by what the client is known: the token of its name, and where in the log it was. By Socket.IO's door, also by what recovers a
// session.
func (c *Client) auth() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	auth := map[string]string{}
	for key, value := range map[string]string{"token": c.token, "offset": c.offset, "pid": c.pid} {
		if value != "" && (key != "pid" || c.options.Door == SocketIO) {
			auth[key] = value
		}
	}
	return auth
}

func (c *Client) write(conn *websocket.Conn, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return writeText(conn, data)
}

func writeText(conn *websocket.Conn, data []byte) error {
	_ = conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails only on a closed connection, which writing tells
	return conn.WriteMessage(websocket.TextMessage, data)
}

// message handles one message of the server.
func (c *Client) message(conn *websocket.Conn, m received) error {
	switch m.kind {
	case kindOpen:
		c.mu.Lock()
		c.silence = m.silence
		c.mu.Unlock()
		c.heartbeat(conn)
		return c.write(conn, c.options.Door.connect(c.auth()))
	case kindPing:
		c.heartbeat(conn)
		return c.write(conn, []byte("3"))
	case kindConnected:
		c.mu.Lock()
		c.pid = m.pid
		c.mu.Unlock()
	case kindRefused:
		return fmt.Errorf("not let in: %s", m.why)
	case kindSentAway:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.leaving {
			c.record.trouble("sent away by the server")
		}
	case kindAck:
		c.answered(m)
	case kindEvent:
		return c.event(m)
	}
	return nil
}

func (c *Client) event(m received) error {
	if m.event == "session" {
		return c.session(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := offset(m.args); id != "" {
		c.offset = id
	}
	if m.event == "status" {
		c.live = true
	}
	if err := c.record.event(m, c.live); err != nil {
		return err
	}
	c.changedLocked()
	return nil
}

// session is how the server says who the client is to it: at every connect, and when its name changes hands.
func (c *Client) session(m received) error {
	var s struct{ Instance, Name, Code string }
	if err := arguments(m.args, &s); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	c.mu.Lock()
	if s.Code != "" {
		c.record.trouble("session: %s", s.Code)
	}
	if s.Instance != c.stateLocked().Instance {
		c.record.Instances = append(c.record.Instances, s.Instance)
	}
	known := s.Name == c.options.Name
	if known && !c.named && c.token != "" {
		c.record.back(time.Now())
	}
	c.named = known
	options := map[string]string{}
	if c.token != "" {
		options["token"] = c.token
	}
	c.changedLocked()
	c.mu.Unlock()
	if known {
		c.flush()
		return nil
	}
	return c.claim(options)
}

// claim asks for the nickname. Nobody waits for the answer, which answered takes.
func (c *Client) claim(options any) error {
	c.mu.Lock()
	r := &request{event: "nickname", args: []any{c.options.Name, options}, claims: true, answer: make(chan answer, 1)}
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	c.flush()
	return nil
}

// claimed takes the answer to claim.
func (c *Client) claimed(args []json.RawMessage) {
	var taken bool
	var detail struct{ Token, Code string }
	err := arguments(args, &taken, &detail)
	c.mu.Lock()
	if err != nil || taken {
		c.record.trouble("nickname not given: %s, %v", detail.Code, err)
		conn := c.conn
		c.mu.Unlock()
		if conn != nil {
			_ = conn.NetConn().Close() // comes back, and tries again
		}
		return
	}
	if c.token != "" && !c.named {
		c.record.back(time.Now())
	}
	if detail.Token != "" { // it is told only once
		c.token = detail.Token
	}
	c.named = true
	c.changedLocked()
	c.mu.Unlock()
	c.flush()
}
