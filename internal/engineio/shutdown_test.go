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
)

// patience is how long a test waits for what should come at once.
const patience = 20 * time.Second

// reluctant is a connection whose Close waits, as that of TLS does for a peer who takes nothing.
type reluctant struct {
	net.Conn
	once    sync.Once
	closing chan struct{} // closed when Close is called
	release chan struct{}
}

func (c *reluctant) Close() error {
	c.once.Do(func() { close(c.closing) })
	<-c.release
	return c.Conn.Close()
}

// hijackable is the response to a request that came over a connection of the test's.
type hijackable struct {
	http.ResponseWriter
	conn     net.Conn
	hijacked func()
}

func (h *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.hijacked()
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// open has the server open a WebSocket on its end of a pipe, and returns the client's.
func (h *host) open(server net.Conn, client net.Conn, hijacked func()) *socket {
	h.server.WebSocketHandler().ServeHTTP(&hijackable{conn: server, hijacked: hijacked}, upgradeRequest(h.t))
	return &socket{t: h.t, conn: client, r: bufio.NewReader(client)}
}

func upgradeRequest(t *testing.T) *http.Request {
	request, err := http.NewRequest("GET", "/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		request.Header.Set(name, value)
	}
	return request
}

func (s *socket) readHandshake() {
	s.t.Helper()
	_ = s.conn.SetDeadline(time.Now().Add(patience))
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
	case <-time.After(patience):
		t.Fatalf("%s takes for ever", what)
	}
}

// A connection that takes its time to close holds nobody up but who closes it.
func TestCloseOfConnectionHoldsNoLock(t *testing.T) {
	h := newHost(t, Options{})
	server, client := net.Pipe()
	slow := &reluctant{Conn: server, closing: make(chan struct{}), release: make(chan struct{})}
	s := h.open(slow, client, func() {})
	s.readHandshake()
	h.waitFor("the handler is told", func() bool { return h.openedCount() == 1 })
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

// block sends to the last client, who does not read, until its socket takes no more.
func (h *host) block() *Session {
	h.t.Helper()
	session := h.session()
	message := Prepare(Message{Data: make([]byte, 64<<10), Binary: true})
	for range 400 {
		if err := session.SendPrepared(message); err != nil {
			h.t.Fatal(err)
		}
	}
	h.waitFor("the socket is full", func() bool {
		session.mu.Lock()
		defer session.mu.Unlock()
		return session.output.blocked
	})
	return session
}

// A write that waits for a client who is gone, and does not take its rest either, is cut with everything else.
func TestShutdownCutsBlockedWriter(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 64 << 20, CloseTimeout: time.Hour})
	s := h.webSocket("/ws")
	session := h.block()
	if err := s.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	h.wantClosed(session.ID(), ErrTransportClosed)
	h.waitFor("its reader has ended", func() bool { return !stackHas("engineio.(*Session).run(") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	within(t, "Shutdown", func() {
		if err := h.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown = %v, want %v", err, context.Canceled)
		}
	})
	_ = s.conn.Close()
}

// A WebSocket that opens while the server shuts down is told so, for which the request does not wait, and Shutdown does.
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
				h.waitFor("the session is over", func() bool { return h.server.empty() })
			})
		})
		select {
		case err := <-down:
			t.Errorf("Shutdown = %v before the client has been told", err)
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
			if first, payload, err := s.readFrame(); err != nil || first != frameClose || int(binary.BigEndian.Uint16(payload)) != closeGoingAway {
				t.Errorf("read frame %#x % x, %v, want close %d", first, payload, err, closeGoingAway)
			}
			_ = client.Close()
			if err := <-down; err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		}
		if h.openedCount() != 0 {
			t.Error("the handler is told of a session that never opened")
		}
		cancel()
		_ = client.Close()
	}
}

// Through TLS, where closing is one more write, sessions end as they do without, and a client who takes nothing holds nobody up.
func TestEndsThroughTLS(t *testing.T) {
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
	polite.wantClose("told why", 4001)

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
