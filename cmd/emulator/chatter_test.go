package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// chatter is a user of the chat at /ws, through the front: it comes back as who it was, with what it missed, and keeps what it hears.
type chatter struct {
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

// arrive connects under a name.
func arrive(t *testing.T, address, name string) *chatter {
	t.Helper()
	c := &chatter{t: t, url: "ws://" + address + "/ws?connect", name: name}
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

// connect dials the front and waits until the instance has told who it is; an instance that is going may have been chosen, so it tries again.
func (c *chatter) connect() {
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

// comeBack waits for the end of the connection, and connects again.
func (c *chatter) comeBack() {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			break
		}
	}
	_ = c.conn.Close()
	c.connect()
}

func (c *chatter) write(m message) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(wait))
	if err := c.conn.WriteJSON(m); err != nil {
		c.t.Fatalf("%s: write: %v", c.name, err)
	}
}

// read takes in one message.
func (c *chatter) read() (message, error) {
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
	if known := map[string]int{"session": 1, "user message": 3, "announcement": 2}[m.Event]; known > 0 && len(m.Args) > known {
		var offset string
		if json.Unmarshal(m.Args[len(m.Args)-1], &offset) == nil {
			c.offset = offset
		}
	}
	return m, nil
}

// ask sends an event and returns the answer.
func (c *chatter) ask(event string, args ...string) []json.RawMessage {
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
func (c *chatter) post(event string, args ...string) (id int) {
	c.t.Helper()
	c.asked++
	m := message{Event: event, ID: c.asked}
	for _, arg := range args {
		m.Args = append(m.Args, json.RawMessage(fmt.Sprintf("%q", arg)))
	}
	c.write(m)
	return c.asked
}

// says says something and waits until it is in the log.
func (c *chatter) says(text string) {
	c.t.Helper()
	var said struct {
		OK bool `json:"ok"`
	}
	if ack := c.ask("user message", text); json.Unmarshal(ack[0], &said) != nil || !said.OK {
		c.t.Fatalf("%s said %q and got %s", c.name, text, ack)
	}
}

// hears reads until it has heard a line, and checks that it was heard once.
func (c *chatter) hears(line string) {
	c.t.Helper()
	for !slices.Contains(c.heard, line) {
		if _, err := c.read(); err != nil {
			c.t.Fatalf("%s did not hear %q but %q: %v", c.name, line, c.heard, err)
		}
	}
}

// wantHeard checks everything heard so far: each line once, and in order.
func (c *chatter) wantHeard(want []string) {
	c.t.Helper()
	if !slices.Equal(c.heard, want) {
		c.t.Errorf("%s has heard %q, want %q", c.name, c.heard, want)
	}
}
