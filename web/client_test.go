package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// client is a user without a browser, connected over a raw WebSocket.
type client struct {
	t      *testing.T
	conn   *websocket.Conn
	lastID int
}

// connect makes a client of instance i, and claims a nickname for it.
func (s *site) connect(t *testing.T, i int, nickname string) *client {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+s.proxies[i].address+"/ws?connect", nil)
	if err != nil {
		t.Fatalf("dial instance %d: %v", i, err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &client{t: t, conn: conn}
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

// call sends an event and returns the arguments of its answer. It drops events that arrive before.
func (c *client) call(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	c.lastID++
	c.write(map[string]any{"event": event, "args": args, "id": c.lastID})
	c.conn.SetReadDeadline(time.Now().Add(timeout))
	for {
		var message struct {
			Ack  int
			Args []json.RawMessage
		}
		if err := c.conn.ReadJSON(&message); err != nil {
			c.t.Fatalf("answer to %s: %v", event, err)
		}
		if message.Ack == c.lastID {
			return message.Args
		}
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
