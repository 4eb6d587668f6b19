package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"chatapp/internal/chatclient"
)

// client is a user without a browser, connected over a raw WebSocket. It reads at all times, so that it
// answers the server's pings however long a test takes.
type client struct {
	t       *testing.T
	conn    *chatclient.Conn
	lastID  int
	answers chan chatclient.Message // holds the answer to the one call under way; closed at the end of the connection
}

// connect makes a client of instance i, and claims a nickname for it.
func (s *site) connect(t *testing.T, i int, nickname string) *client {
	t.Helper()
	target, err := chatclient.ParseTarget(s.url(i), chatclient.Raw)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, answers: make(chan chatclient.Message, 1)}
	c.conn, err = chatclient.Dial(t.Context(), target, chatclient.Options{
		Protocol: chatclient.Raw, Auth: struct{}{}, Handler: c, WriteTimeout: timeout,
	})
	if err != nil {
		t.Fatalf("dial instance %d: %v", i, err)
	}
	t.Cleanup(c.conn.Abort)
	go func() {
		defer close(c.answers)
		_ = c.conn.Serve() // a test that needs the connection notices that it has ended
	}()
	if answer := c.call("nickname", nickname); string(answer[0]) != "false" {
		t.Fatalf("nickname %q: %s", nickname, answer)
	}
	return c
}

// Handle implements chatclient.Handler: it keeps answers and drops everything else.
func (c *client) Handle(kind chatclient.Kind, payload []byte) error {
	if kind != chatclient.Ack {
		return nil
	}
	m, err := chatclient.Raw.Parse(payload)
	if err == nil {
		c.answers <- m
	}
	return err
}

// emit sends an event that has no answer.
func (c *client) emit(event string, args ...any) {
	c.t.Helper()
	if err := c.conn.Emit(event, 0, args...); err != nil {
		c.t.Fatalf("emit %s: %v", event, err)
	}
}

// call sends an event and returns the arguments of its answer.
func (c *client) call(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	c.lastID++
	if err := c.conn.Emit(event, c.lastID, args...); err != nil {
		c.t.Fatalf("emit %s: %v", event, err)
	}
	select {
	case got := <-c.answers:
		if got.AckID != c.lastID {
			c.t.Fatalf("answer to %s: got one to call %d, want %d", event, got.AckID, c.lastID)
		}
		return got.Args
	case <-time.After(timeout):
		c.t.Fatalf("no answer to %s after %v", event, timeout)
		return nil
	}
}

// send sends a message to a room, and returns when it is in the log.
func (c *client) send(room, text string) {
	c.t.Helper()
	answer := c.call("user message", text, map[string]string{"room": room})
	var result struct{ OK bool }
	if err := json.Unmarshal(answer[0], &result); err != nil || !result.OK {
		c.t.Fatalf("send %q to %s: %s", text, room, answer)
	}
}
