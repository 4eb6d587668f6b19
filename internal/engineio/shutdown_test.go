package engineio

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"chatapp/internal/waittest"
)

func TestShutdownReachesEveryTransport(t *testing.T) {
	h := serve(t, Options{})
	ws, raw := h.webSocket(webSocketURL), h.webSocket("/ws")
	_, target := h.openPolling()
	polling := h.session()
	poll := h.poll(target)
	waittest.Until(h.t, "the poll waits", func() bool {
		polling.mu.Lock()
		defer polling.mu.Unlock()
		return polling.polling.poll != nil
	})
	done := make(chan error, 1)
	go func() { done <- h.server.Shutdown(t.Context()) }()
	// python-socketio and rust_socketio stay away after a close packet, and the Java client sits out its heartbeat
	// after a close frame. All of them come back at once from these.
	h.wantAnswer("a poll is refused", poll, 400, unknownSession)
	if err := ws.awaitEnd(); err != nil {
		t.Errorf("a WebSocket breaks: %v", err)
	}
	raw.wantClose("a raw one is closed", closeGoingAway)
	if err := <-done; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	h.wantClosed(ws.sid, ErrServerClosed)
	h.want("nobody is let in any more", "GET", pollingURL, "", 503, `{"code":4,"message":"No more sessions accepted"}`)
}

// What was sent before the end arrives: it may be the acknowledgement of a message.
func TestShutdownLosesNothingSentBefore(t *testing.T) {
	h := serve(t, Options{})
	ws := h.webSocket(webSocketURL)
	session := h.session()
	_ = session.Send(Message{Data: []byte("last")})
	session.Close(ErrServerClosed)
	ws.want("what was sent before", "4last")
	if err := ws.awaitEnd(); err != nil {
		t.Errorf("then the end: %v", err)
	}
	_, target := h.openPolling()
	polling := h.session()
	_ = polling.Send(Message{Data: []byte("last")})
	polling.Close(ErrServerClosed)
	h.want("a poll has it as well", "GET", target, "", 200, "4last")
	h.want("the next one is refused", "GET", target, "", 400, unknownSession)
}

// A client that never answers the closing handshake does not hold up a server that has no time.
func TestShutdownCutsClientsWhenItsContextEnds(t *testing.T) {
	h := serve(t, Options{CloseTimeout: time.Hour})
	s := h.webSocket(webSocketURL)
	h.openPolling()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != context.DeadlineExceeded {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
	_ = s.conn.Close()
}

// A session that Shutdown finds while it is being opened must not be left with the heartbeat, which
// Shutdown waits for.
func TestShutdownDuringHandshakeLeavesNothingScheduled(t *testing.T) {
	h := newHost(t, Options{PingInterval: time.Hour})
	defer h.shutdown()
	beat := h.server.heartbeat
	for range 100 {
		beat.mu.Lock() // holds the new session up where it is known and not watched yet
		opened := make(chan *Session)
		go func() {
			s, _ := h.server.newSession(V4, stateOpening, Handshake{})
			opened <- s
		}()
		waittest.Until(h.t, "the session is known", func() bool { return !h.server.empty() })
		known := h.server.all()[0]
		beat.mu.Unlock()
		known.Close(ErrServerClosed)
		h.server.discard(<-opened, ErrServerClosed)
		beat.mu.Lock()
		waiting := beat.waiting
		beat.mu.Unlock()
		if waiting > 0 {
			h.server.heartbeat.forget(known)
			t.Fatal("the session is over and is to be looked at in an hour")
		}
	}
}

// testLimit is far longer than anything takes that a test waits for.
const testLimit = 20 * time.Second

// slowCloser is a connection whose Close waits, as that of TLS does for a peer that reads nothing.
type slowCloser struct {
	net.Conn
	once    sync.Once
	closing chan struct{} // closed when Close is called
	release chan struct{}
}

func (c *slowCloser) Close() error {
	c.once.Do(func() { close(c.closing) })
	<-c.release
	return c.Conn.Close()
}

// hijackableResponse is the response to a request that came over a connection of the test's.
type hijackableResponse struct {
	http.ResponseWriter
	conn     net.Conn
	hijacked func()
}

func (h *hijackableResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.hijacked()
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// open has the server open a WebSocket on its end of a pipe, and returns the client's.
func (h *host) open(server net.Conn, client net.Conn, hijacked func()) *socket {
	h.server.WebSocketHandler().ServeHTTP(&hijackableResponse{conn: server, hijacked: hijacked}, upgradeRequest(h.t))
	return &socket{t: h.t, conn: client, r: bufio.NewReader(client)}
}

func upgradeRequest(t *testing.T) *http.Request {
	request, err := http.NewRequest("GET", "/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key":     "AAAAAAAAAAAAAAAAAAAAAA=="} {
		request.Header.Set(name, value)
	}
	return request
}

func (s *socket) readHandshake() {
	s.t.Helper()
	_ = s.conn.SetDeadline(time.Now().Add(testLimit))
	response, err := http.ReadResponse(s.r, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("handshake = %v, %v, want 101", response, err)
	}
	_ = response.Body.Close()
}

// within runs f, which must not take long.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(testLimit):
		t.Fatalf("%s does not return", what)
	}
}

// A connection that closes slowly delays only the goroutine that closes it.
func TestSlowCloseOfAConnectionHoldsNoLock(t *testing.T) {
	h := newHost(t, Options{})
	server, client := net.Pipe()
	slow := &slowCloser{Conn: server, closing: make(chan struct{}), release: make(chan struct{})}
	s := h.open(slow, client, func() {})
	s.readHandshake()
	waittest.Until(h.t, "Opened is called", func() bool { return h.openedCount() == 1 })
	_ = client.Close()
	<-slow.closing
	within(t, "a send while the connection closes", func() {
		if err := h.session().Send(Message{Data: []byte("x")}); err != ErrClosed {
			t.Errorf("Send = %v, want ErrClosed", err)
		}
		h.server.Stats()
	})
	close(slow.release)
	h.shutdown()
}

// block sends to the last client, which does not read, until its socket is full.
func (h *host) block() *Session {
	h.t.Helper()
	session := h.session()
	message := Prepare(Message{Data: make([]byte, 64<<10), Binary: true})
	for range 400 {
		if err := session.SendPrepared(message); err != nil {
			h.t.Fatal(err)
		}
	}
	waittest.Until(h.t, "the socket is full", func() bool {
		session.mu.Lock()
		defer session.mu.Unlock()
		return session.output.blocked
	})
	return session
}

// The end of Shutdown's context cuts a write that waits for a client which has closed its side and
// reads nothing.
func TestShutdownCutsBlockedWriter(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 64 << 20, CloseTimeout: time.Hour})
	s := h.webSocket("/ws")
	session := h.block()
	if err := s.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	h.wantClosed(session.ID(), ErrTransportClosed)
	waittest.Until(h.t, "its reader has ended", func() bool { return !stackHas("engineio.(*Session).run(") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "Shutdown", func() {
		if err := h.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v, want %v", err, context.Canceled)
		}
	})
	_ = s.conn.Close()
}

// A WebSocket that opens while the server shuts down receives a close frame. Shutdown waits for
// that, the request does not.
func TestShutdownWaitsForRefusal(t *testing.T) {
	for _, cut := range []bool{false, true} {
		h := newHost(t, Options{CloseTimeout: time.Hour})
		server, client := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		down := make(chan error, 1)
		var s *socket
		within(t, "the request", func() {
			s = h.open(server, client, func() {
				go func() { down <- h.server.Shutdown(ctx) }()
				waittest.Until(h.t, "the session is over", func() bool { return h.server.empty() })
			})
		})
		select {
		case err := <-down:
			t.Errorf("Shutdown = %v before the client has received the close frame", err)
		default:
		}
		if cut {
			cancel()
			if err := <-down; err != context.Canceled {
				t.Errorf("Shutdown = %v, want %v", err, context.Canceled)
			}
			if _, err := io.Copy(io.Discard, client); err != nil {
				t.Errorf("read %v after the cut, want EOF", err)
			}
		} else {
			s.readHandshake()
			first, payload, err := s.readFrame()
			if err != nil || first != frameClose || int(binary.BigEndian.Uint16(payload)) != closeGoingAway {
				t.Errorf("read frame %#x % x, %v, want close %d", first, payload, err, closeGoingAway)
			}
			_ = client.Close()
			if err := <-down; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		}
		if h.openedCount() != 0 {
			t.Error("the handler was called for a session that never opened")
		}
		cancel()
		_ = client.Close()
	}
}

// Through TLS, where closing is one more write, sessions end as without, and a client that reads
// nothing delays nobody.
func TestSessionsEndThroughTLS(t *testing.T) {
	h := newHost(t, Options{MaxQueueBytes: 64 << 20, CloseTimeout: time.Hour})
	server := httptest.NewTLSServer(h.mux())
	defer server.Close()
	h.dial = func() (net.Conn, error) {
		return tls.Dial("tcp", server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	}
	polite := h.webSocket("/ws")
	polite.send("hello")
	polite.want("an echo", "hello")
	h.session().Close(&ProtocolError{Code: 4001, Reason: "go away"})
	polite.wantClose("the reason", 4001)

	stuck := h.webSocket("/ws")
	h.block()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "Shutdown", func() {
		if err := h.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v, want %v", err, context.Canceled)
		}
	})
	_ = stuck.conn.Close()
}
