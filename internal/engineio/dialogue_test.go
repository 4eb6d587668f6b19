package engineio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A handler that leaves a request unread has net/http keep the connection half open for a moment, which no server waits for.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// quickly is a CloseTimeout for tests that leave polling sessions behind, whose end nobody fetches.
const quickly = 40 * time.Millisecond

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

// wantClosed waits until a session has ended, and holds the reason against want.
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

// pipes serves over net.Pipe, for synctest bubbles. The caller defers the returned function within the bubble.
func pipes(t *testing.T, o Options) (*host, func()) {
	h := newHost(t, o)
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
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
}

func (l *pipeListener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
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

// answer is what an HTTP request got.
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

// want requests, and holds status and body against what is wanted; `*` at the end of body stands for anything.
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

// socket is a WebSocket client that writes any bytes, right or wrong.
type socket struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	sid  string
}

// webSocket opens a WebSocket session, reads its open packet, if it has one, and waits until the handler has been told.
func (h *host) webSocket(target string, header ...string) *socket {
	h.t.Helper()
	before := h.openedCount()
	s := h.rawWebSocket(target, header...)
	h.waitFor("the handler is told", func() bool { return h.openedCount() > before })
	if !strings.HasPrefix(target, "/ws") {
		s.sid = sidOf(h.t, s.readText())
	}
	return s
}

const webSocketURL = "/engine.io/?EIO=4&transport=websocket"

func (h *host) rawWebSocket(target string, header ...string) *socket {
	h.t.Helper()
	c, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	s := &socket{t: h.t, conn: c, r: bufio.NewReader(c)}
	var extra strings.Builder
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&extra, "%s: %s\r\n", header[i], header[i+1])
	}
	s.write(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n", target, extra.String()))
	response, err := http.ReadResponse(s.r, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		h.t.Fatalf("GET %s = %s, want 101", target, response.Status)
	}
	return s
}

func (s *socket) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// clientFrame is a masked frame; first and size are as given, right or wrong.
func clientFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

func (s *socket) send(text string) { s.t.Helper(); s.write(clientFrame(frameText, []byte(text))) }

// readFrame reads a frame of the server's.
func (s *socket) readFrame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(s.r, b[:])
		size = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(s.r, b[:])
		size = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.r, payload)
	return head[0], payload, err
}

func (s *socket) readText() string {
	s.t.Helper()
	first, payload, err := s.readFrame()
	if err != nil || first != frameText {
		s.t.Fatalf("read frame %#x %q, %v, want text", first, payload, err)
	}
	return string(payload)
}

// want reads the next text message.
func (s *socket) want(why, text string) {
	s.t.Helper()
	if got := s.readText(); got != text {
		s.t.Fatalf("%s: got %q, want %q", why, got, text)
	}
}

// wantClose reads a close frame with the code, answers it, and wants the end of the connection.
func (s *socket) wantClose(why string, code int) {
	s.t.Helper()
	for {
		first, payload, err := s.readFrame()
		if err != nil {
			s.t.Fatalf("%s: read %v, want close frame %d", why, err, code)
		}
		if first != frameClose {
			continue
		}
		if len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code {
			s.t.Fatalf("%s: close frame % x, want code %d", why, payload, code)
		}
		break
	}
	_, _ = s.conn.Write(clientFrame(frameClose, []byte{0x03, 0xe8})) // the server may have closed already
	if _, err := io.Copy(io.Discard, s.r); err != nil && !errors.Is(err, io.ErrClosedPipe) && !isReset(err) {
		s.t.Fatalf("%s: after the closing handshake read %v, want EOF", why, err)
	}
	_ = s.conn.Close()
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset") }

// hangUp closes in the protocol's way and waits for the server to do so.
func (s *socket) hangUp() {
	s.t.Helper()
	s.write(clientFrame(frameClose, []byte{0x03, 0xe8}))
	_, _ = io.Copy(io.Discard, s.r)
	_ = s.conn.Close()
}

// httpServer has a WriteTimeout, which is for other pages than ours.
func httpServer(h *host) *http.Server {
	return &http.Server{Handler: h.mux(), WriteTimeout: 10 * time.Second}
}
