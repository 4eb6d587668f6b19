package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// user is a user of the chat at /ws, through the proxy. It reconnects with its resume token and
// keeps the messages it receives.
type user struct {
	t    *testing.T
	url  string
	name string

	conn     *websocket.Conn
	instance string
	token    string
	offset   string
	asked    int
	heard    []string // "name: text" of others, in order
}

// message is what /ws carries, either way.
type message struct {
	Event   string            `json:"event,omitempty"`
	Args    []json.RawMessage `json:"args,omitempty"`
	ID      int               `json:"id,omitempty"`
	Ack     int               `json:"ack,omitempty"`
	Connect map[string]any    `json:"connect,omitempty"`
}

// join connects under a name.
func join(t *testing.T, address, name string) *user {
	t.Helper()
	c := &user{t: t, url: "ws://" + address + "/ws?connect", name: name}
	c.connect()
	t.Cleanup(func() { _ = c.conn.Close() })
	ack := c.ask("nickname", name)
	var detail struct {
		Token string `json:"token"`
	}
	if string(ack[0]) != "false" || json.Unmarshal(ack[1], &detail) != nil || detail.Token == "" {
		t.Fatalf("%s asked for the name and got %s", name, ack)
	}
	c.token = detail.Token
	return c
}

// connect dials the proxy and waits until the instance has sent its name.
func (c *user) connect() {
	c.t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: wait}
	conn, _, err := dialer.DialContext(c.t.Context(), c.url, nil)
	if err != nil {
		c.t.Fatalf("%s: dial: %v", c.name, err)
	}
	c.conn = conn
	auth := map[string]any{"client": "test"} // anything: an empty object would be left out
	if c.token != "" {
		auth = map[string]any{"token": c.token, "offset": c.offset}
	}
	c.write(message{Connect: auth})
	for c.instance = ""; c.instance == ""; {
		if _, err := c.read(); err != nil {
			c.t.Fatalf("%s: no session: %v", c.name, err)
		}
	}
}

// reconnect waits until the connection ends, and connects again.
func (c *user) reconnect() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			break
		}
	}
	_ = c.conn.Close()
	c.connect()
}

func (c *user) write(m message) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(wait))
	if err := c.conn.WriteJSON(m); err != nil {
		c.t.Fatalf("%s: write: %v", c.name, err)
	}
}

// read reads one message and records what it says.
func (c *user) read() (message, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	var m message
	if err := c.conn.ReadJSON(&m); err != nil {
		return m, err
	}
	switch {
	case m.Event == "session":
		var session struct {
			Instance string `json:"instance"`
		}
		if err := json.Unmarshal(m.Args[0], &session); err != nil {
			return m, err
		}
		c.instance = session.Instance
	case m.Event == "user message" && len(m.Args) >= 2:
		var from, text string
		if err := json.Unmarshal(m.Args[0], &from); err != nil {
			return m, err
		}
		if err := json.Unmarshal(m.Args[1], &text); err != nil {
			return m, err
		}
		c.heard = append(c.heard, from+": "+text)
	}
	// What can be replayed has its place in the log as the last argument, a string.
	known := map[string]int{"session": 1, "user message": 3, "announcement": 2}[m.Event]
	if known > 0 && len(m.Args) > known {
		var offset string
		if json.Unmarshal(m.Args[len(m.Args)-1], &offset) == nil {
			c.offset = offset
		}
	}
	return m, nil
}

// ask sends an event and returns the answer.
func (c *user) ask(event string, args ...string) []json.RawMessage {
	c.t.Helper()
	id := c.post(event, args...)
	for {
		m, err := c.read()
		if err != nil {
			c.t.Fatalf("%s: no answer to %s %q: %v", c.name, event, args, err)
		}
		if m.Ack == id {
			return m.Args
		}
	}
}

// post sends an event and does not wait.
func (c *user) post(event string, args ...string) (id int) {
	c.t.Helper()
	c.asked++
	m := message{Event: event, ID: c.asked}
	for _, arg := range args {
		m.Args = append(m.Args, json.RawMessage(fmt.Sprintf("%q", arg)))
	}
	c.write(m)
	return c.asked
}

// says sends a message and waits until it is in the log.
func (c *user) says(text string) {
	c.t.Helper()
	var said struct {
		OK bool `json:"ok"`
	}
	if ack := c.ask("user message", text); json.Unmarshal(ack[0], &said) != nil || !said.OK {
		c.t.Fatalf("%s said %q and got %s", c.name, text, ack)
	}
}

// hears reads until a message has arrived.
func (c *user) hears(line string) {
	c.t.Helper()
	for !slices.Contains(c.heard, line) {
		if _, err := c.read(); err != nil {
			c.t.Fatalf("%s did not hear %q but %q: %v", c.name, line, c.heard, err)
		}
	}
}

// wantHeard checks all messages received so far: each once, and in order.
func (c *user) wantHeard(want []string) {
	c.t.Helper()
	if !slices.Equal(c.heard, want) {
		c.t.Errorf("%s has heard %q, want %q", c.name, c.heard, want)
	}
}
