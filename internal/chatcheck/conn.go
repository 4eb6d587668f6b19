package chatcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"chatapp/internal/chatclient"
	"chatapp/internal/pause"
)

// The pauses between two attempts to connect are those of Socket.IO's clients, only shorter.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 2 * time.Second
)

const (
	// writeTimeout is how long a server may refuse to read.
	writeTimeout = 10 * time.Second
	// maxDialTimeout bounds the opening of a connection.
	maxDialTimeout = 10 * time.Second
)

// run is the client's goroutine: it connects, reads until the connection ends, and connects again.
func (c *Client) run(ctx context.Context) {
	defer close(c.done)
	wait := firstPause
	for ctx.Err() == nil {
		accepted, err := c.connection(ctx)
		c.disconnected()
		c.mu.Lock()
		leaving, longer := c.link.leaving, c.link.pause
		c.link.pause = 0
		if err != nil && !leaving && !accepted {
			c.record.problem("not connected: %v", err)
		}
		c.mu.Unlock()
		if leaving {
			break
		}
		if accepted {
			wait = firstPause
		}
		if pause.For(ctx, longer+wait/2+rand.N(wait)) != nil {
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

// connection serves one connection to its end. It reports whether the server had accepted the client.
func (c *Client) connection(ctx context.Context) (accepted bool, err error) {
	c.mu.Lock()
	target := c.targets[c.link.next%len(c.targets)]
	c.link.next++
	c.mu.Unlock()
	s := &server{client: c}
	dialing, cancel := context.WithTimeout(ctx, min(maxDialTimeout, c.options.Silence/2))
	s.conn, err = chatclient.Dial(dialing, target, chatclient.Options{
		Protocol: c.options.Protocol, Handler: s, Auth: c.auth(),
		Silence: c.options.Silence, WriteTimeout: writeTimeout,
	})
	cancel()
	if err != nil {
		return false, err
	}
	stop := context.AfterFunc(ctx, s.conn.Abort)
	defer stop()
	c.mu.Lock()
	c.link.conn = s.conn
	c.mu.Unlock()
	err = s.conn.Serve()
	if errors.Is(err, chatclient.ErrProtocol) {
		c.mu.Lock()
		c.record.problem("%v", err)
		c.mu.Unlock()
	}
	return s.accepted, err
}

// auth returns the credentials that the next connection presents.
func (c *Client) auth() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	auth := make(map[string]string)
	for key, value := range map[string]string{
		"token": c.credentials.token, "offset": c.credentials.offset, "pid": c.credentials.pid,
	} {
		if value != "" && (key != "pid" || c.options.Protocol == chatclient.SocketIO) {
			auth[key] = value
		}
	}
	return auth
}

// server handles what a client receives on one connection.
type server struct {
	client   *Client
	conn     *chatclient.Conn
	accepted bool
}

// Handle implements chatclient.Handler. The connection's buffer is its own, so that Handle may write.
func (s *server) Handle(kind chatclient.Kind, payload []byte) error {
	if kind == chatclient.Open || kind == chatclient.Ping {
		return nil // the connection has answered
	}
	c := s.client
	m, err := c.options.Protocol.Parse(payload)
	if err != nil {
		return err
	}
	switch m.Kind {
	case chatclient.Connected:
		s.accepted = true
		c.mu.Lock()
		c.credentials.pid = m.PID
		c.mu.Unlock()
	case chatclient.Refused:
		return fmt.Errorf("not accepted: %s", m.Reason)
	case chatclient.Disconnected:
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.link.leaving {
			c.record.problem("disconnected by the server")
		}
	case chatclient.Ack:
		c.acknowledged(m)
	case chatclient.Event:
		return c.event(m)
	}
	return nil
}

func (c *Client) event(m chatclient.Message) error {
	if m.Event == "session" {
		return c.session(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if index := logIndex(m.Args); index != "" {
		c.credentials.offset = index
	}
	if m.Event == "status" {
		c.link.live = true
	}
	if err := c.record.event(m, c.link.live); err != nil {
		return err
	}
	c.notifyLocked()
	return nil
}

// logIndex returns the log index that an event ends with, as its last argument; "" if it does not.
func logIndex(args []json.RawMessage) string {
	var index string
	if len(args) == 0 || json.Unmarshal(args[len(args)-1], &index) != nil {
		return ""
	}
	return index
}

// session handles the event that tells a client its name and instance: at every connect, and when
// its name changes.
func (c *Client) session(m chatclient.Message) error {
	var s struct{ Instance, Name, Code string }
	if err := decode(m.Args, &s); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	c.mu.Lock()
	if s.Code != "" {
		c.record.problem("session: %s", s.Code)
	}
	if s.Instance != c.stateLocked().Instance {
		c.record.Instances = append(c.record.Instances, s.Instance)
	}
	named, token := s.Name == c.options.Name, c.credentials.token
	if named && !c.link.named && token != "" {
		c.record.reconnected(time.Now())
	}
	c.link.named = named
	c.notifyLocked()
	c.mu.Unlock()
	if named {
		c.flush()
	} else {
		c.claim(token)
	}
	return nil
}

// claim requests the nickname, with the token that proves it to be the client's own if it has one.
// It does not wait for the answer.
func (c *Client) claim(token string) {
	options := make(map[string]string)
	if token != "" {
		options["token"] = token
	}
	r := &request{
		event: "nickname", args: []any{c.options.Name, options}, claims: true, answer: make(chan answer, 1),
	}
	c.mu.Lock()
	c.requests = append(c.requests, r)
	c.mu.Unlock()
	c.flush()
}

// claimed handles the answer to claim.
func (c *Client) claimed(args []json.RawMessage) {
	var taken bool
	var detail struct{ Token, Code string }
	err := decode(args, &taken, &detail)
	c.mu.Lock()
	if err != nil || taken {
		c.record.problem("nickname refused: %s, %v", detail.Code, err)
		conn := c.link.conn
		c.mu.Unlock()
		if conn != nil {
			conn.Abort() // the client connects again, and tries again
		}
		return
	}
	if c.credentials.token != "" && !c.link.named {
		c.record.reconnected(time.Now())
	}
	if detail.Token != "" { // the server sends it only once
		c.credentials.token = detail.Token
	}
	c.link.named = true
	c.notifyLocked()
	c.mu.Unlock()
	c.flush()
}
