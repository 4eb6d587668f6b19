package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"chatapp/internal/chatclient"
)

// user is a user of the chat at /ws, through the proxy. It reconnects with its resume token and
// keeps the messages it receives.
type user struct {
	t      *testing.T
	target chatclient.Target
	name   string

	conn     *chatclient.Conn
	instance string
	token    string
	offset   string
	asked    int
	heard    []string // "name: text" of others, in order
}

// join connects under a name.
func join(t *testing.T, address, name string) *user {
	t.Helper()
	target, err := chatclient.ParseTarget("http://"+address, chatclient.Raw)
	if err != nil {
		t.Fatal(err)
	}
	c := &user{t: t, target: target, name: name}
	c.connect()
	t.Cleanup(func() { c.conn.Abort() })
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
	auth := map[string]string{}
	if c.token != "" {
		auth = map[string]string{"token": c.token, "offset": c.offset}
	}
	conn, err := chatclient.Dial(c.t.Context(), c.target, chatclient.Options{
		Protocol: chatclient.Raw, Auth: auth, WriteTimeout: wait,
	})
	if err != nil {
		c.t.Fatalf("%s: dial: %v", c.name, err)
	}
	c.conn = conn
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
	c.conn.Abort()
	c.connect()
}

// read reads one message and records what it says.
func (c *user) read() (chatclient.Message, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	m, err := c.conn.Next()
	if err != nil {
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
	// What can be replayed has its log index as the last argument, a string.
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
func (c *user) ask(event string, args ...any) []json.RawMessage {
	c.t.Helper()
	id := c.post(event, args...)
	for {
		m, err := c.read()
		if err != nil {
			c.t.Fatalf("%s: no answer to %s %q: %v", c.name, event, args, err)
		}
		if m.Kind == chatclient.Ack && m.AckID == id {
			return m.Args
		}
	}
}

// post sends an event and does not wait.
func (c *user) post(event string, args ...any) (id int) {
	c.t.Helper()
	c.asked++
	if err := c.conn.Emit(event, c.asked, args...); err != nil {
		c.t.Fatalf("%s: emit %s: %v", c.name, event, err)
	}
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
