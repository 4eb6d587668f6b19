package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// client is a user without a browser, connected over a raw WebSocket.
type client struct {
	t       *testing.T
	conn    *websocket.Conn
	lastID  int
	answers chan answer // holds the answer to the one call under way; closed at the end of the connection
}

// answer is a message of the server that answers a call; other messages have no Ack.
type answer struct {
	Ack  int
	Args []json.RawMessage
}

// connect makes a client of instance i, and claims a nickname for it.
func (s *site) connect(t *testing.T, i int, nickname string) *client {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+s.proxies[i].address+"/ws?connect", nil)
	if err != nil {
		t.Fatalf("dial instance %d: %v", i, err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn, answers: make(chan answer, 1)}
	go c.read()
	c.write(map[string]any{"connect": struct{}{}})
	if answer := c.call("nickname", nickname); string(answer[0]) != "false" {
		t.Fatalf("nickname %q: %s", nickname, answer)
	}
	return c
}

func (c *client) write(message map[string]any) {
	c.t.Helper()
	if err := c.conn.WriteJSON(message); err != nil {
		c.t.Fatalf("write %v: %v", message, err)
	}
}

// emit sends an event that has no answer.
func (c *client) emit(event string, args ...any) {
	c.t.Helper()
	c.write(map[string]any{"event": event, "args": args})
}

// read drops events and keeps answers until the connection ends. Reading at all times also answers the
// server's pings, so that a test may take as long as it does.
func (c *client) read() {
	defer close(c.answers)
	for {
		var message answer
		if err := c.conn.ReadJSON(&message); err != nil {
			return
		}
		if message.Ack != 0 {
			c.answers <- message
		}
	}
}

// call sends an event and returns the arguments of its answer.
func (c *client) call(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	c.lastID++
	c.write(map[string]any{"event": event, "args": args, "id": c.lastID})
	select {
	case got := <-c.answers:
		if got.Ack != c.lastID {
			c.t.Fatalf("answer to %s: got one to call %d, want %d", event, got.Ack, c.lastID)
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
