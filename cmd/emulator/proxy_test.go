package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// startProxy serves a proxy at a free port, and ends it with the test.
func startProxy(t *testing.T) (f *proxy, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f = newProxy(slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- f.serve(listener) }()
	t.Cleanup(func() {
		f.close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f, listener.Addr().String()
}

// addBackend adds a ready backend that answers with its name, and at /ws echoes what it gets.
func addBackend(t *testing.T, f *proxy, name string) *httptest.Server {
	t.Helper()
	upgrader := websocket.Upgrader{}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s %s", name, r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Host"))
	})
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer conn.Close()
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil || string(message) == "end" {
				return
			}
			if err := conn.WriteMessage(kind, append([]byte(name+" "), message...)); err != nil {
				return
			}
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.add(name, server.Listener.Addr().String())
	f.setReady(name, true)
	return server
}

// get asks the proxy, with a cookie unless it is "", and returns status, body and the cookie set.
func get(t *testing.T, url, cookie string) (status int, body, set string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", "203.0.113.9") // a lie
	if cookie != "" {
		request.AddCookie(&http.Cookie{Name: affinityCookie, Value: cookie})
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range response.Cookies() {
		if c.Name == affinityCookie {
			set = c.Value
		}
	}
	return response.StatusCode, string(text), set
}

func TestProxySpreadsRequests(t *testing.T) {
	t.Parallel()
	f, address := startProxy(t)
	status, body, _ := get(t, "http://"+address+"/", "")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "no instance") {
		t.Errorf("without instances: %d %q, want %d", status, body, http.StatusServiceUnavailable)
	}
	for _, name := range []string{"1", "2", "3"} {
		addBackend(t, f, name)
	}
	counts := make(map[string]int)
	for range 9 {
		_, body, set := get(t, "http://"+address+"/", "")
		name, rest, _ := strings.Cut(body, " ")
		counts[name]++
		if want := address + " 127.0.0.1 " + address; rest != want {
			t.Errorf("the instance sees host and addresses %q, want %q", rest, want)
		}
		if set != "" {
			t.Errorf("a page sets the cookie %q, want none: it has no session", set)
		}
	}
	if counts["1"] != 3 || counts["2"] != 3 || counts["3"] != 3 {
		t.Errorf("9 requests went %v, want 3 to each", counts)
	}
	f.setReady("2", false)
	for range 6 {
		if _, body, _ := get(t, "http://"+address+"/", ""); strings.HasPrefix(body, "2 ") {
			t.Error("a request went to an instance that is not ready")
		}
	}
}

func TestProxyAffinity(t *testing.T) {
	t.Parallel()
	f, address := startProxy(t)
	addBackend(t, f, "1")
	addBackend(t, f, "2")
	const handshake, poll = "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=4&transport=polling&sid=x"
	for _, tt := range []struct {
		name          string
		path, cookie  string
		ready2        bool
		want, wantSet string // "" for either
	}{
		{"a session's request goes where the cookie says", poll, "2", true, "2", ""},
		{"and does so while that instance drains", poll, "2", false, "2", ""},
		{"a handshake keeps the cookie's instance", handshake, "2", true, "2", ""},
		{"but not while that drains", handshake, "2", false, "1", "1"},
		{"a cookie of an earlier life is replaced", poll, "2-earlier", false, "1", "1"},
		{"a page does not look at cookies", "/", "2", false, "1", ""},
	} {
		f.setReady("2", tt.ready2)
		_, body, set := get(t, "http://"+address+tt.path, tt.cookie)
		if name, _, _ := strings.Cut(body, " "); name != tt.want || set != tt.wantSet {
			t.Errorf("%s: went to %q, cookie set %q, want %q and %q", tt.name, name, set, tt.want, tt.wantSet)
		}
	}
	f.setReady("2", true)
	_, body, set := get(t, "http://"+address+handshake, "")
	if name, _, _ := strings.Cut(body, " "); set != name {
		t.Errorf("a handshake at instance %q sets the cookie %q", name, set)
	}
}

// TestProxyTriesAnother stops an instance that is still taken for ready.
func TestProxyTriesAnother(t *testing.T) {
	t.Parallel()
	f, address := startProxy(t)
	dead := addBackend(t, f, "1")
	addBackend(t, f, "2")
	dead.Close()
	for range 4 {
		status, body, _ := get(t, "http://"+address+"/", "")
		if status != http.StatusOK || !strings.HasPrefix(body, "2 ") {
			t.Errorf("a page with one of two instances dead: %d %q, want it from the other", status, body)
		}
	}
	status, _, set := get(t, "http://"+address+"/socket.io/?sid=x", "1")
	if status != http.StatusBadGateway || set != "" {
		t.Errorf("a session's request to a dead instance: %d, cookie %q, want %d and none",
			status, set, http.StatusBadGateway)
	}
	f.setReady("2", false)
	if status, _, _ := get(t, "http://"+address+"/", ""); status != http.StatusServiceUnavailable {
		t.Errorf("with the only ready instance dead: %d, want %d", status, http.StatusServiceUnavailable)
	}
}

func TestProxyWebSocket(t *testing.T) {
	t.Parallel()
	f, address := startProxy(t)
	addBackend(t, f, "1")
	addBackend(t, f, "2")
	dial := func() *websocket.Conn {
		t.Helper()
		conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+address+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	echo := func(conn *websocket.Conn) string {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		_, message, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		name, text, _ := strings.Cut(string(message), " ")
		if text != "hello" {
			t.Errorf("echo = %q, want hello", text)
		}
		return name
	}
	first, second := dial(), dial()
	if a, b := echo(first), echo(second); a == b {
		t.Errorf("two WebSockets both went to instance %s, want one to each", a)
	}
	if f.open("1") != 1 || f.open("2") != 1 {
		t.Errorf("%d and %d requests open, want 1 and 1", f.open("1"), f.open("2"))
	}
	// The instance ends the first, whose client does not notice: it must not hold up the proxy.
	if err := first.WriteMessage(websocket.TextMessage, []byte("end")); err != nil {
		t.Fatal(err)
	}
	f.close()
	for _, conn := range []*websocket.Conn{first, second} {
		if _, _, err := conn.ReadMessage(); err == nil {
			t.Error("a WebSocket survived the proxy's end")
		}
	}
}

// TestProxyBadInput sends what is no HTTP, and expects the proxy to refuse it and go on.
func TestProxyBadInput(t *testing.T) {
	t.Parallel()
	f, address := startProxy(t)
	addBackend(t, f, "1")
	for _, tt := range []struct{ name, sent, want string }{
		{"no HTTP", "\x16\x03\x01 hello\r\n\r\n", "400"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
		{"an unknown upgrade", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: telnet\r\n\r\n",
			"200"},
		{"an endless header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 2<<20), "431"},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() })
		go func() { _, _ = io.WriteString(conn, tt.sent) }() // the proxy may answer before it has read all
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, tt.want) {
			t.Errorf("%s: answered %q, %v, want %s", tt.name, line, err, tt.want)
		}
		stop()
		_ = conn.Close()
	}
	if status, _, _ := get(t, "http://"+address+"/", ""); status != http.StatusOK {
		t.Errorf("after all that: %d, want %d", status, http.StatusOK)
	}
}
