package chatclient

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// counter is a handler that counts events.
type counter struct{ events int }

func (c *counter) Handle(kind Kind, payload []byte) error {
	if kind == Event {
		c.events++
	}
	return nil
}

// unconnected returns a connection to nobody, and so many events for it in one piece.
func unconnected(events int) (*Conn, *counter, []byte) {
	h := new(counter)
	c := newConn(nil, nil, Options{Handler: h, Buffer: NewBuffer(1 << 10)})
	var wire []byte
	for i := range events {
		payload := fmt.Sprintf(`42["user message","Ann","%d %s"]`, i, strings.Repeat("x", 100))
		wire = append(wire, 0x81, 126, byte(len(payload)>>8), byte(len(payload)))
		wire = append(wire, payload...)
	}
	return c, h, wire
}

func TestMessagesArriveInPiecesOfAnySize(t *testing.T) {
	for _, piece := range []int{1, 2, 3, 7, 64, 131, 1000, 100_000} {
		c, h, wire := unconnected(90)
		for len(wire) > 0 {
			n := copy(c.room(), wire[:min(piece, len(wire))])
			if err := c.received(n); err != nil {
				t.Fatalf("pieces of %d: %v", piece, err)
			}
			wire = wire[n:]
		}
		if h.events != 90 {
			t.Errorf("pieces of %d: %d events, want 90", piece, h.events)
		}
	}
}

func TestReceivingDoesNotAllocate(t *testing.T) {
	c, _, wire := unconnected(5)
	n := testing.AllocsPerRun(10, func() {
		if err := c.received(copy(c.room(), wire)); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("5 events allocate %v times, want 0", n)
	}
}

func TestBadFragmentsEndTheConnection(t *testing.T) {
	for _, wire := range []string{"\x80\x01x", "\x01\x01x\x81\x01x"} {
		c, _, _ := unconnected(0)
		if err := c.received(copy(c.room(), wire)); err == nil {
			t.Errorf("received(%q): no error, want one", wire)
		}
	}
}

// serve has talk hold a conversation with each client on the server's side, and returns the server
// as a target.
func serve(t *testing.T, p Protocol, talk func(ws *websocket.Conn)) Target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		talk(ws)
	}))
	t.Cleanup(server.Close)
	target, err := ParseTarget(server.URL, p)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// want reads the client's next message.
func want(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if _, got, err := ws.ReadMessage(); string(got) != text {
		t.Errorf("the client sends %q, %v, want %q", got, err, text)
	}
}

func send(t *testing.T, ws *websocket.Conn, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketIOConversation(t *testing.T) {
	target := serve(t, SocketIO, func(ws *websocket.Conn) {
		send(t, ws, `0{"sid":"x","pingInterval":25000,"pingTimeout":20000}`)
		want(t, ws, `40{"token":"secret"}`)
		send(t, ws, `40{"sid":"x","pid":"p"}`, `2`)
		want(t, ws, `3`)
		send(t, ws, `42["welcome",1]`)
		want(t, ws, `421["nickname","Ann"]`)
		send(t, ws, `431[false]`, `42["announcement","hello"]`)
		want(t, ws, `41`)
	})
	c, err := Dial(t.Context(), target, Options{Auth: map[string]string{"token": "secret"}, Silence: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Next(); err != nil || m.Kind != Connected || m.PID != "p" {
		t.Fatalf("Next = %+v, %v, want connected", m, err)
	}
	if m, err := c.Next(); err != nil || m.Event != "welcome" {
		t.Fatalf("Next = %+v, %v, want the event behind the heartbeat", m, err)
	}
	if err := c.Emit("nickname", 1, "Ann"); err != nil {
		t.Error(err)
	}
	for _, kind := range []Kind{Ack, Event} {
		if m, err := c.Next(); err != nil || m.Kind != kind || len(m.Args) != 1 {
			t.Fatalf("Next = %+v, %v, want kind %d", m, err, kind)
		}
	}
	if err := c.Disconnect(); err != nil {
		t.Error(err)
	}
	if _, err := c.Next(); err == nil {
		t.Error("Next returns no error behind the connection's end")
	}
}

// More bytes may come at once than there is room for behind the rest of a frame.
func TestNextTakesManyLongMessages(t *testing.T) {
	const messages = 20
	text := strings.Repeat("x", 3000)
	target := serve(t, Raw, func(ws *websocket.Conn) {
		for range messages {
			send(t, ws, `{"event":"user message","args":["`+text+`"]}`)
		}
		_, _, _ = ws.ReadMessage() // until the client ends
	})
	c, err := Dial(t.Context(), target, Options{Protocol: Raw})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Abort()
	for n := range messages {
		if m, err := c.Next(); err != nil || len(m.Args) != 1 || len(m.Args[0]) != len(text)+2 {
			t.Fatalf("message %d is %.80v, %v, want the text of 3,000 bytes", n, m, err)
		}
	}
}

func TestRawConversation(t *testing.T) {
	target := serve(t, Raw, func(ws *websocket.Conn) {
		want(t, ws, `{"connect":{}}`)
		send(t, ws, `{"connect":{"pid":"p"}}`)
		ws.SetPongHandler(func(string) error {
			send(t, ws, `{"event":"ponged","args":[]}`)
			return nil
		})
		_ = ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Minute))
		want(t, ws, `{"event":"who","args":[],"id":3}`)
		goingAway := websocket.FormatCloseMessage(websocket.CloseGoingAway, "draining")
		_ = ws.WriteControl(websocket.CloseMessage, goingAway, time.Now().Add(time.Minute))
		_, _, _ = ws.ReadMessage()
	})
	ponged := make(chan struct{})
	c, err := Dial(t.Context(), target, Options{
		Protocol: Raw, Auth: struct{}{}, WriteTimeout: time.Minute,
		Handler: handlerFunc(func(kind Kind, _ []byte) error {
			if kind == Event {
				close(ponged)
			}
			return nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.Serve() }()
	<-ponged
	if err := c.Emit("who", 3); err != nil {
		t.Error(err)
	}
	var closed *CloseError
	if err := <-served; !errors.As(err, &closed) || closed.Code != websocket.CloseGoingAway ||
		closed.Reason != "draining" {
		t.Errorf("Serve = %v, want the server's close", err)
	}
}

type handlerFunc func(Kind, []byte) error

func (f handlerFunc) Handle(kind Kind, payload []byte) error { return f(kind, payload) }

func TestSilenceEndsTheConnection(t *testing.T) {
	target := serve(t, Raw, func(ws *websocket.Conn) { _, _, _ = ws.ReadMessage() })
	c, err := Dial(t.Context(), target, Options{Protocol: Raw, Handler: new(counter), Silence: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if err := c.Serve(); !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Serve = %v, want a time-out", err)
	}
}

func TestStartCloseWaitsForTheAnswer(t *testing.T) {
	code := make(chan int, 1)
	target := serve(t, Raw, func(ws *websocket.Conn) {
		_, _, err := ws.ReadMessage() // which answers the close frame
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			code <- closed.Code
		} else {
			code <- -1
		}
	})
	c, err := Dial(t.Context(), target, Options{Protocol: Raw, Handler: new(counter)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- c.Serve() }()
	c.StartClose(time.Minute)
	var closed *CloseError
	if err := <-served; !errors.As(err, &closed) {
		t.Errorf("Serve = %v, want the server's answer", err)
	}
	if got := <-code; got != websocket.CloseNormalClosure {
		t.Errorf("the server sees close code %d, want %d", got, websocket.CloseNormalClosure)
	}
}
