package socketiotest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// wait is how long Want waits for a message.
const wait = 30 * time.Second

// protocol is what a client speaks.
type protocol int

const (
	engineIO4 protocol = iota
	engineIO3
	raw
)

// Client is one connection. Its methods are for the test's own goroutine; a failure ends the test.
type Client struct {
	t        testing.TB
	conn     *websocket.Conn
	protocol protocol
	done     chan struct{} // closed when the reader has ended
	wake     chan struct{} // size 1: next has something to look at

	writing sync.Mutex // held while writing to conn

	mu sync.Mutex
	// mu guards
	received []message // and not taken yet
	err      error     // why the reader has ended
}

type message struct {
	data   string
	binary bool
}

func newClient(t testing.TB, conn *websocket.Conn, p protocol) *Client {
	c := &Client{t: t, conn: conn, protocol: p, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	go c.read()
	return c
}

// read takes in messages until the connection ends, and answers the pings among them.
func (c *Client) read() {
	defer close(c.done)
	for {
		kind, data, err := c.conn.ReadMessage()
		if err == nil && c.protocol == engineIO4 && string(data) == "2" {
			err = c.write(websocket.TextMessage, []byte("3"))
			if err == nil {
				continue
			}
		}
		c.mu.Lock()
		if err == nil {
			c.received = append(c.received, message{string(data), kind == websocket.BinaryMessage})
		}
		c.err = err
		c.mu.Unlock()
		select {
		case c.wake <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (c *Client) write(kind int, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.conn.WriteMessage(kind, data)
}

// next waits for a message until the deadline. Once all messages are taken it returns the error that
// has ended the connection, and errNothing if no message came.
func (c *Client) next(d time.Duration) (message, error) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		if len(c.received) > 0 {
			m := c.received[0]
			c.received = c.received[1:]
			c.mu.Unlock()
			return m, nil
		}
		err := c.err
		c.mu.Unlock()
		if err != nil {
			return message{}, err
		}
		select {
		case <-c.wake:
		case <-deadline.C:
			return message{}, errNothing
		}
	}
}

var errNothing = errors.New("nothing came")

// Connect joins a namespace with a payload, a JSON object or "", and returns the socket's id. Raw
// clients join by DialRaw("connect") and Connect("/", payload).
func (c *Client) Connect(namespace, auth string) (sid string) {
	c.t.Helper()
	prefix := "0"
	switch {
	case c.protocol == raw:
		if auth == "" {
			auth = "{}"
		}
		prefix = `{"connect":`
		c.Send(prefix + auth + "}")
	case namespace == "/":
		c.Send("0" + auth)
	default:
		prefix = "0" + namespace + ","
		c.Send(prefix + auth)
	}
	m := c.take("the client is accepted")
	var answer struct{ SID string }
	text, ok := strings.CutPrefix(c.packet(m), prefix)
	if c.protocol == raw {
		text = strings.TrimSuffix(text, "}")
	}
	if err := json.Unmarshal([]byte(text), &answer); !ok || err != nil || answer.SID == "" {
		c.t.Fatalf("joining %s is answered by %q, want %s{\"sid\":...", namespace, m.data, prefix)
	}
	return answer.SID
}

// Send sends a text message: a Socket.IO packet, or any text over a raw WebSocket.
func (c *Client) Send(text string) {
	c.t.Helper()
	if c.protocol != raw {
		text = "4" + text
	}
	if err := c.write(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatalf("send %.100q: %v", text, err)
	}
}

// SendBinary sends a binary message.
func (c *Client) SendBinary(data []byte) {
	c.t.Helper()
	if c.protocol == engineIO3 {
		data = append([]byte{4}, data...)
	}
	if err := c.write(websocket.BinaryMessage, data); err != nil {
		c.t.Fatalf("send %d bytes: %v", len(data), err)
	}
}

// Flood sends the same short text message n times, as fast as the server takes it.
func (c *Client) Flood(text string, n int) {
	c.t.Helper()
	if c.protocol != raw {
		text = "4" + text
	}
	if len(text) > 125 {
		c.t.Fatalf("flood with %d bytes, want at most 125", len(text))
	}
	// RFC 6455, 5.2: a final text frame, masked with zeros.
	frame := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	const batch = 1000
	frames := bytes.Repeat(frame, batch)
	c.writing.Lock()
	defer c.writing.Unlock()
	for n > 0 {
		count := min(n, batch)
		if _, err := c.conn.NetConn().Write(frames[:count*len(frame)]); err != nil {
			c.t.Fatalf("flood: %v", err)
		}
		n -= count
	}
}

// TrySend is Send where the connection may be gone already.
func (c *Client) TrySend(text string) error {
	if c.protocol != raw {
		text = "4" + text
	}
	return c.write(websocket.TextMessage, []byte(text))
}

// TrySendBinary is SendBinary where the connection may be gone already.
func (c *Client) TrySendBinary(data []byte) error {
	return c.write(websocket.BinaryMessage, data)
}

// Want takes the next message, which must be text that fits the pattern: * stands for any characters.
func (c *Client) Want(why, pattern string) {
	c.t.Helper()
	m := c.take(why + ": want " + pattern)
	if m.binary || !match(pattern, c.packet(m)) {
		c.t.Fatalf("%s: got %.300q, want %s", why, c.packet(m), pattern)
	}
}

// Next takes the next message, which must be text, and returns it.
func (c *Client) Next(why string) string {
	c.t.Helper()
	m := c.take(why)
	if m.binary {
		c.t.Fatalf("%s: got %d binary bytes, want text", why, len(m.data))
	}
	return c.packet(m)
}

// WantBinary takes the next message, which must be binary and equal data.
func (c *Client) WantBinary(why string, data []byte) {
	c.t.Helper()
	m := c.take(why)
	got := m.data
	if c.protocol == engineIO3 {
		got = strings.TrimPrefix(got, "\x04")
	}
	if !m.binary || got != string(data) {
		c.t.Fatalf("%s: got %.100q (binary: %v), want %.100q", why, m.data, m.binary, data)
	}
}

// WantClose waits for the server to close the connection with a WebSocket close code, any if 0. It
// skips the messages before that.
func (c *Client) WantClose(why string, code int) {
	c.t.Helper()
	for {
		_, err := c.next(wait)
		var closed *websocket.CloseError
		switch {
		case err == nil:
		case errors.Is(err, errNothing):
			c.t.Fatalf("%s: the connection stays open", why)
		case code == 0:
			return
		case errors.As(err, &closed) && closed.Code == code:
			return
		default:
			c.t.Fatalf("%s: closed with %v, want code %d", why, err, code)
		}
	}
}

// WantNothing checks that no message comes for d, and that the connection stays open. It is for bubbles
// of testing/synctest, where d costs nothing.
func (c *Client) WantNothing(why string, d time.Duration) {
	c.t.Helper()
	if m, err := c.next(d); !errors.Is(err, errNothing) {
		c.t.Fatalf("%s: got %.300q, error %v; want nothing", why, m.data, err)
	}
}

// Close closes the connection without a closing handshake, and waits for the client's goroutine.
func (c *Client) Close() {
	_ = c.conn.Close() // it may have ended before
	<-c.done
}

func (c *Client) take(why string) message {
	c.t.Helper()
	m, err := c.next(wait)
	if err != nil {
		c.t.Fatalf("%s: %v", why, err)
	}
	return m
}

// packet is a text message without Engine.IO's packet type, which must be that of a message.
func (c *Client) packet(m message) string {
	if c.protocol == raw || m.binary {
		return m.data
	}
	packet, ok := strings.CutPrefix(m.data, "4")
	if !ok {
		return "(not a message) " + m.data
	}
	return packet
}

func (c *Client) wantRaw(why, pattern string) {
	c.t.Helper()
	if m := c.take(why); !match(pattern, m.data) {
		c.t.Fatalf("%s: got %.300q, want %s", why, m.data, pattern)
	}
}

// match reports whether text fits pattern, where * stands for any characters.
func match(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	if len(parts) == 1 {
		return text == ""
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}
