// Package socketiotest is a client for tests of Socket.IO servers, at the level of packets: it also sends
// what a correct client never would. A test is a dialogue: Send sends a packet, Want names what must come
// back, and why.
//
//	host := socketiotest.Serve(t, server, engineio.Options{})
//	c := host.Dial("")
//	c.Connect("/", "")
//	c.Send(`2["user message","hi"]`)
//	c.Want("the message comes back", `2["user message","hi",*]`)
//
// A client has a goroutine that reads, and answers pings, until the connection ends. The test's clean-up
// waits for it.
package socketiotest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"

	"github.com/gorilla/websocket"
)

// shutdownTimeout bounds how long a test's clean-up waits for sessions to end.
const shutdownTimeout = 10 * time.Second

// Host is a server under test, reachable by both protocols.
type Host struct {
	// Engine is the Engine.IO server, to be shut down by a test that is about that.
	Engine *engineio.Server

	t       testing.TB
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// Serve serves server on a loopback port until the test ends: Socket.IO at /socket.io/, raw WebSockets
// at /ws.
func Serve(t testing.TB, server *socketio.Server, o engineio.Options) *Host {
	h := &Host{t: t, Engine: engineio.NewServer(server, o)}
	web := httptest.NewServer(h.handler())
	h.address = web.Listener.Addr().String()
	h.dial = new(net.Dialer).DialContext
	t.Cleanup(func() {
		h.end(server)
		web.Close()
	})
	return h
}

// Pipe is Serve over net.Pipe instead of a socket, so that it works within a bubble of testing/synctest.
func Pipe(t testing.TB, server *socketio.Server, o engineio.Options) *Host {
	h := &Host{t: t, Engine: engineio.NewServer(server, o), address: "pipe"}
	listener := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	web := &http.Server{Handler: h.handler()} // #nosec G112 -- its only clients are the test's
	served := make(chan error, 1)             // so that Serve can return before it is asked
	go func() { served <- web.Serve(listener) }()
	h.dial = listener.dial
	t.Cleanup(func() {
		h.end(server)
		_ = web.Close() // of pipes, which has no error worth reporting
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return h
}

// Address returns host and port, for clients of other kinds.
func (h *Host) Address() string { return h.address }

func (h *Host) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", h.Engine)
	mux.Handle("/ws", h.Engine.WebSocketHandler())
	return mux
}

func (h *Host) end(server *socketio.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := h.Engine.Shutdown(ctx); err != nil {
		h.t.Errorf("shut down: %v", err)
	}
	server.Close()
}

// Dial opens an Engine.IO 4 session over a WebSocket, with query in the URL. It returns when it has read
// the packet that opens the session.
func (h *Host) Dial(query string) *Client {
	h.t.Helper()
	c := h.open("/socket.io/?EIO=4&transport=websocket&"+query, engineIO4)
	c.wantRaw("the session is opened", `0{*}`)
	return c
}

// DialUnmanaged is Dial for tests with thousands of clients: the caller closes it, which resets the connection, and
// nothing is kept of it, neither here nor by the kernel.
func (h *Host) DialUnmanaged(query string) *Client {
	h.t.Helper()
	c := h.connect("/socket.io/?EIO=4&transport=websocket&"+query, engineIO4)
	if tcp, ok := c.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it ports run out at worst
	}
	c.wantRaw("the session is opened", `0{*}`)
	return c
}

// DialProtocol3 is Dial for an Engine.IO 3 session, as clients of Socket.IO 2 open it. The client sends no
// pings.
func (h *Host) DialProtocol3(query string) *Client {
	h.t.Helper()
	c := h.open("/socket.io/?EIO=3&transport=websocket&"+query, engineIO3)
	c.wantRaw("the session is opened", `0{*}`)
	return c
}

// DialRaw opens a raw WebSocket at /ws, with query in the URL.
func (h *Host) DialRaw(query string) *Client {
	h.t.Helper()
	return h.open("/ws?"+query, raw)
}

func (h *Host) open(path string, p protocol) *Client {
	h.t.Helper()
	c := h.connect(path, p)
	h.t.Cleanup(c.Close)
	return c
}

func (h *Host) connect(path string, p protocol) *Client {
	h.t.Helper()
	dialer := websocket.Dialer{NetDialContext: h.dial, HandshakeTimeout: wait}
	conn, _, err := dialer.Dial("ws://"+h.address+path, nil)
	if err != nil {
		h.t.Fatalf("dial %s: %v", path, err)
	}
	return newClient(h.t, conn, p)
}

// pipeListener accepts the server's ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
