package engineio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// shortClose is a CloseTimeout for tests that leave polling sessions behind, whose last packet no
// poll takes.
const shortClose = 40 * time.Millisecond

// host serves a Server whose handler echoes every message, or does what the test sets.
type host struct {
	t        *testing.T
	server   *Server
	dial     func() (net.Conn, error)
	opened   func(*Session)
	received func(*Session, Message)

	mu     sync.Mutex
	closed map[string]error // why each session ended, by sid
	notify chan struct{}    // size 1: closed has changed
	last   *Session
	count  int // of sessions opened
}

func (h *host) Opened(s *Session) {
	h.mu.Lock()
	h.last = s
	h.count++
	h.mu.Unlock()
	if h.opened != nil {
		h.opened(s)
	}
}

func (h *host) Received(s *Session, m Message) {
	if h.received != nil {
		h.received(s, m)
		return
	}
	_ = s.Send(Message{Data: bytes.Clone(m.Data), Binary: m.Binary})
}

func (h *host) Closed(s *Session, err error) {
	h.mu.Lock()
	if _, twice := h.closed[s.ID()]; twice {
		h.t.Errorf("Closed called twice for %s", s.ID())
	}
	h.closed[s.ID()] = err
	h.mu.Unlock()
	select {
	case h.notify <- struct{}{}:
	default:
	}
}

func (h *host) endedWith(sid string, reason error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Is(h.closed[sid], reason)
}

func (h *host) openedCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func (h *host) session() *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// errAnyMistake stands for any *ProtocolError.
var errAnyMistake = errors.New("a protocol error")

// wantClosed waits until a session has ended, and checks the reason.
func (h *host) wantClosed(sid string, want error) {
	h.t.Helper()
	deadline := time.After(time.Minute)
	for {
		h.mu.Lock()
		err, ok := h.closed[sid]
		h.mu.Unlock()
		if ok {
			var mistake *ProtocolError
			if !errors.Is(err, want) && !(want == errAnyMistake && errors.As(err, &mistake)) {
				h.t.Errorf("session ended with %v, want %v", err, want)
			}
			return
		}
		select {
		case <-h.notify:
		case <-deadline:
			h.t.Fatalf("session %s did not end", sid)
		}
	}
}

func (h *host) mux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/engine.io/", h.server)
	mux.Handle("/ws", h.server.WebSocketHandler())
	return mux
}

func newHost(t *testing.T, o Options) *host {
	h := &host{t: t, closed: make(map[string]error), notify: make(chan struct{}, 1)}
	h.server = NewServer(h, o)
	return h
}

// serve serves on loopback.
func serve(t *testing.T, o Options) *host {
	h := newHost(t, o)
	server := httptest.NewServer(h.mux())
	h.dial = func() (net.Conn, error) { return net.Dial("tcp", server.Listener.Addr().String()) }
	t.Cleanup(func() {
		h.shutdown()
		server.CloseClientConnections()
		server.Close()
	})
	return h
}

// pipes serves over net.Pipe, for synctest bubbles. The caller defers the returned function within
// the bubble.
func pipes(t *testing.T, o Options) (*host, func()) {
	return pipesOf(t, o, func(c net.Conn) net.Conn { return c })
}

// halfClosing is a connection whose halves could be closed one by one, as those of TCP can. The client
// sees nothing of it.
type halfClosing struct{ net.Conn }

func (halfClosing) CloseWrite() error { return nil }

// pipesOf is pipes with what is made of the server's ends.
func pipesOf(t *testing.T, o Options, wrap func(net.Conn) net.Conn) (*host, func()) {
	h := newHost(t, o)
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{}), wrap: wrap}
	server := httpServer(h)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with ErrServerClosed
	}()
	h.dial = l.dial
	return h, func() {
		h.shutdown()
		_ = server.Close()
		<-served
	}
}

func (h *host) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		h.t.Errorf("Shutdown = %v", err)
	}
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	wrap  func(net.Conn) net.Conn
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- l.wrap(server):
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// answer is the response to an HTTP request.
type answer struct {
	status int
	header http.Header
	body   string
}

// request makes an HTTP request on a connection of its own.
func (h *host) request(ctx context.Context, method, target, body string, header ...string) answer {
	h.t.Helper()
	a, err := h.tryRequest(ctx, method, target, body, header...)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, target, err)
	}
	return a
}

func (h *host) tryRequest(ctx context.Context, method, target, body string, header ...string) (answer, error) {
	client := http.Client{Transport: &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return h.dial() },
		DisableKeepAlives: true,
	}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, method, "http://chat.test"+target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(b)}, err
}

func (h *host) get(target string) answer {
	h.t.Helper()
	return h.request(h.t.Context(), "GET", target, "")
}

// want makes a request and checks the answer's status and body. A `*` at the end of body matches
// the rest.
func (h *host) want(why, method, target, body string, status int, answered string) {
	h.t.Helper()
	a := h.request(h.t.Context(), method, target, body)
	prefix, open := strings.CutSuffix(answered, "*")
	if a.status != status || !(a.body == answered || open && strings.HasPrefix(a.body, prefix)) {
		h.t.Errorf("%s: %s %s = %d %q, want %d %q", why, method, target, a.status, a.body, status, answered)
	}
}

const pollingURL = "/engine.io/?EIO=4&transport=polling"

// openPolling opens a polling session and returns its sid and the address of its requests.
func (h *host) openPolling() (sid, target string) {
	h.t.Helper()
	a := h.get(pollingURL)
	sid = sidOf(h.t, a.body)
	return sid, pollingURL + "&sid=" + sid
}

func sidOf(t *testing.T, open string) string {
	t.Helper()
	_, after, ok := strings.Cut(open, `"sid":"`)
	sid, _, ok2 := strings.Cut(after, `"`)
	if !ok || !ok2 || !strings.HasPrefix(open, "0{") {
		t.Fatalf("open packet = %q", open)
	}
	return sid
}

// httpServer has a WriteTimeout, which is for other pages than ours.
func httpServer(h *host) *http.Server {
	return &http.Server{Handler: h.mux(), WriteTimeout: 10 * time.Second}
}

// poll polls in the background; bubbles know when it waits.
func (h *host) poll(target string) <-chan answer {
	answered := make(chan answer, 1)
	go func() {
		a, err := h.tryRequest(h.t.Context(), "GET", target, "")
		if err != nil {
			a.body = err.Error()
		}
		answered <- a
	}()
	return answered
}

func (h *host) wantAnswer(why string, answered <-chan answer, status int, body string) {
	h.t.Helper()
	if a := <-answered; a.status != status || a.body != body {
		h.t.Errorf("%s: poll answered %d %q, want %d %q", why, a.status, a.body, status, body)
	}
}

func newRequest(remote string) *http.Request {
	return &http.Request{Method: "GET", RemoteAddr: remote, Header: http.Header{}, Host: "chat.test"}
}
