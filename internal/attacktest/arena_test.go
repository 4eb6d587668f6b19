package attacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/leaktest"
	"chatapp/internal/workertest"
)

func TestMain(m *testing.M) {
	if os.Getenv(attackVariable) != "" {
		runAttack()
		return
	}
	leaktest.Main(m)
}

// arena is a worker with default limits, behind a trusted proxy: so a test can attack from any address.
type arena struct {
	*workertest.Server
	t *testing.T
}

// patience is how long a client waits for what it must get. It is long, because tests share a machine.
const patience = 20 * time.Second

func newArena(t *testing.T, settings ...string) *arena {
	t.Helper()
	return &arena{workertest.Start(t, nil, append([]string{"TRUSTED_PROXIES=127.0.0.1"}, settings...)...), t}
}

var lastAddress atomic.Uint32

// newAddress returns an address that no other client has.
func newAddress() string {
	n := lastAddress.Add(1)
	return fmt.Sprintf("198.51.%d.%d", 100+n/250, 1+n%250)
}

// client is a raw WebSocket.
type client struct {
	t       *testing.T
	conn    *websocket.Conn
	lastAck int

	messages, bytes int // read so far
}

// dial connects from an address, and fails the test where that is refused.
func (a *arena) dial(address string, header ...string) *client {
	a.t.Helper()
	conn, response, err := a.tryDial(address, header...)
	if err != nil {
		a.t.Fatalf("connect from %s: %v, %v", address, err, response)
	}
	return &client{t: a.t, conn: conn}
}

func (a *arena) tryDial(address string, header ...string) (*websocket.Conn, *http.Response, error) {
	h := http.Header{"X-Forwarded-For": {address}}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	dialer := websocket.Dialer{HandshakeTimeout: patience, ReadBufferSize: 1 << 10, WriteBufferSize: 1 << 10}
	conn, response, err := dialer.Dial("ws://"+a.Address+"/ws", h)
	if err == nil {
		a.t.Cleanup(func() { _ = conn.Close() })
	}
	return conn, response, err
}

// join connects from an address and takes a nickname.
func (a *arena) join(address, name string) *client {
	a.t.Helper()
	c := a.dial(address)
	if reply := c.request("nickname", name); reply[0] != false {
		a.t.Fatalf("nickname %q = %v, want it", name, reply)
	}
	return c
}

// message is what the server sends.
type message struct {
	Event string `json:"event"`
	Ack   int    `json:"ack"`
	Args  []any  `json:"args"`
}

// object returns the i-th argument as an object, which has no fields if it is none.
func (m *message) object(i int) map[string]any {
	if i >= len(m.Args) {
		return nil
	}
	object, _ := m.Args[i].(map[string]any)
	return object
}

// emit sends an event that wants no acknowledgement. It reports whether the connection took it.
func (c *client) emit(event string, args ...any) bool { return c.write(event, 0, args) }

func (c *client) write(event string, id int, args []any) bool {
	object := map[string]any{"event": event, "args": append([]any{}, args...)}
	if id > 0 {
		object["id"] = id
	}
	b, err := json.Marshal(object)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(patience))
	return c.conn.WriteMessage(websocket.TextMessage, b) == nil
}

// request sends an event and returns the acknowledgement's arguments.
func (c *client) request(event string, args ...any) []any {
	c.t.Helper()
	c.lastAck++
	c.write(event, c.lastAck, args)
	return c.await(event, func(m *message) bool { return m.Ack == c.lastAck && m.Event == "" }).Args
}

// reply is request for an event whose acknowledgement is one object.
func (c *client) reply(event string, args ...any) map[string]any {
	c.t.Helper()
	m := message{Args: c.request(event, args...)}
	return m.object(0)
}

// want reads until an event comes.
func (c *client) want(event string) *message {
	c.t.Helper()
	return c.await(event, func(m *message) bool { return m.Event == event })
}

func (c *client) await(what string, wanted func(*message) bool) *message {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, b, err := c.conn.ReadMessage()
		if err != nil {
			c.t.Fatalf("read %v, want %s", err, what)
		}
		c.messages, c.bytes = c.messages+1, c.bytes+len(b)
		m := &message{}
		if err := json.Unmarshal(b, m); err == nil && wanted(m) {
			return m
		}
	}
}

// closeCode reads until the server has ended the connection, and returns the code of its close frame.
func (c *client) closeCode() int {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := c.conn.ReadMessage(); err != nil {
			closed, ok := err.(*websocket.CloseError)
			if !ok {
				c.t.Fatalf("connection ended by %v, want a close frame", err)
			}
			return closed.Code
		}
	}
}

// What an attack may cost others, stated by the work that is done for them, since time says nothing on a machine that
// runs other tests. TestBounds measures time.
const (
	joinBytes     = 256 << 10 // read until one has a nickname: history, roster, status
	messagesAhead = 50        // of a message, in the queue of the one who hears it
)

// checkOthers checks what people get who have nothing to do with an attack: two newcomers from addresses of their own
// receive the lobby's history, join, and hear each other. The server's memory stays bounded.
func (a *arena) checkOthers() {
	a.t.Helper()
	start := time.Now()
	n := lastAddress.Load()
	ann, bob := a.dial(newAddress()), a.dial(newAddress())
	for _, c := range []*client{ann, bob} {
		if c.want("history").object(1) == nil {
			a.t.Error("a newcomer receives no history")
		}
	}
	annName, bobName := fmt.Sprintf("Honest %dx", n), fmt.Sprintf("Honest %dy", n)
	for name, c := range map[string]*client{annName: ann, bobName: bob} {
		if reply := c.request("nickname", name); reply[0] != false {
			a.t.Fatalf("nickname of a newcomer = %v, want it", reply)
		}
	}
	joined := time.Since(start)
	if ann.bytes > joinBytes || bob.bytes > joinBytes {
		a.t.Errorf("newcomers have read %d and %d bytes until they had joined, want at most %d", ann.bytes, bob.bytes,
			joinBytes)
	}
	before := bob.messages
	start = time.Now()
	ann.emit("user message", "hello")
	bob.await("the message of "+annName, func(m *message) bool {
		return m.Event == "user message" && m.Args[0] == annName && m.Args[1] == "hello"
	})
	if ahead := bob.messages - before; ahead > messagesAhead {
		a.t.Errorf("%d messages came before the one that was said, want at most %d", ahead, messagesAhead)
	}
	if memory := residentHere(); memory > memoryBound && !raceDetector {
		a.t.Errorf("memory is %d MB with all clients of the tests, want at most %d", memory>>20, memoryBound>>20)
	}
	a.t.Logf("others: joined in %v, message in %v", joined.Round(time.Millisecond),
		time.Since(start).Round(100*time.Microsecond))
	_, _ = ann.conn.Close(), bob.conn.Close()
}

// combining is a text of the given number of bytes whose characters pile up marks.
func combining(bytes int) string {
	return "a" + strings.Repeat("\u0301", (bytes-1)/2)
}
