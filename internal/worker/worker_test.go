package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"chatapp/internal/backplane/inprocess"
)

// A handler that leaves a request unread has net/http keep the connection half open for a moment, which no server waits for.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// running is a worker that serves on loopback until the test ends.
type running struct {
	t      *testing.T
	worker *Worker
	addr   string
	stop   context.CancelFunc
	ended  chan error
}

// start serves a worker, on a hub with others or alone, and waits until it is ready.
func start(t *testing.T, hub *inprocess.Hub, name string, pairs ...string) *running {
	t.Helper()
	config, err := LoadConfig(env(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	w, err := New(config, log)
	if hub != nil {
		w, err = NewOn(config, log, hub.Join(name))
	}
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, worker: w, addr: listener.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- w.Serve(ctx, listener) }()
	t.Cleanup(func() { r.end() })
	r.waitFor("it is ready", func() bool { return r.get("/readyz").StatusCode == http.StatusOK })
	return r
}

// end stops the worker, once, and tells how it ended.
func (r *running) end() error {
	r.stop()
	err, open := <-r.ended
	if open {
		close(r.ended)
		if err != nil {
			r.t.Errorf("Serve = %v", err)
		}
	}
	return err
}

func (r *running) waitFor(what string, condition func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain until %s", what)
		}
		tick := time.NewTimer(2 * time.Millisecond)
		<-tick.C
	}
}

// get makes a request on a connection of its own and reads the answer whole.
func (r *running) get(path string, header ...string) *http.Response {
	r.t.Helper()
	request, err := http.NewRequest("GET", "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = response.Body.Close()
	response.Body = io.NopCloser(strings.NewReader(string(body)))
	return response
}

func text(response *http.Response) string {
	b, _ := io.ReadAll(response.Body)
	return string(b)
}

// person is a client at the plain door.
type person struct {
	t    *testing.T
	conn *websocket.Conn
}

func (r *running) join(nick string) *person {
	r.t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/ws", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &person{r.t, conn}
	p.send(`{"event":"nickname","args":["` + nick + `"],"id":1}`)
	p.want(`{"ack":1,"args":[false,`)
	return p
}

func (p *person) send(message string) {
	p.t.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		p.t.Fatal(err)
	}
}

// want reads until a message starts as given.
func (p *person) want(prefix string) string {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, b, err := p.conn.ReadMessage()
		if err != nil {
			p.t.Fatalf("read %v, want %s", err, prefix)
		}
		if strings.HasPrefix(string(b), prefix) {
			return string(b)
		}
	}
}

func TestRoutes(t *testing.T) {
	r := start(t, nil, "")
	for _, row := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 200, "ready\n"},
		{"/", 200, "<!doctype html>"},
		{"/nothing-here", 404, ""},
		{"/socket.io/?EIO=4", 400, `{"code":0,`},
		{"/ws", 426, ""},
		{"/metrics", 200, "# HELP"},
	} {
		response := r.get(row.path)
		if body := text(response); response.StatusCode != row.status || !strings.HasPrefix(strings.ToLower(body), strings.ToLower(row.body)) {
			t.Errorf("GET %s = %d %.60q, want %d %q", row.path, response.StatusCode, body, row.status, row.body)
		}
	}
	page := r.get("/").Header
	if csp := page.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if page.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header of the page = %v", page)
	}
	if got := r.get("/metrics", "X-Forwarded-For", "192.0.2.1").StatusCode; got != 404 {
		t.Errorf("metrics through a proxy = %d, want 404", got)
	}
}

func TestWorkersAreOneChat(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	first, second := start(t, hub, "first"), start(t, hub, "second")
	ann, bob := first.join("Ann"), second.join("Bob")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	bob.want(`{"event":"user message","args":["Ann","hello",`)
	ann.want(`{"ack":2,"args":[{"ok":true`)
	bob.send(`{"event":"nickname","args":["Ann"],"id":3}`)
	bob.want(`{"ack":3,"args":[true,`)
	_ = ann.conn.Close()
	_ = bob.conn.Close()
}

// A worker that is told to stop is no longer ready, tells its clients, and ends in order; the others hear of its users' leaving only if
// they do not come back.
func TestDrain(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	first := start(t, hub, "first", "DRAIN_TIMEOUT", "1s")
	second := start(t, hub, "second")
	ann := first.join("Ann")
	second.waitFor("both are members", func() bool { return len(second.worker.cluster.node.Status().Members) == 2 })
	first.stop()
	var closed *websocket.CloseError
	for {
		_, _, err := ann.conn.ReadMessage()
		if errors.As(err, &closed) {
			break
		}
		if err != nil {
			t.Fatalf("read %v, want a close frame", err)
		}
	}
	if closed.Code != websocket.CloseGoingAway {
		t.Errorf("the client is told %v, want %d", closed, websocket.CloseGoingAway)
	}
	_ = first.end()
	second.waitFor("the other knows", func() bool { return len(second.worker.cluster.node.Status().Members) == 1 })
	if got := second.get("/readyz").StatusCode; got != 200 {
		t.Errorf("the other's readyz = %d, want 200", got)
	}
}

func TestDrainingIsNotReady(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	first := start(t, hub, "first", "DRAIN_TIMEOUT", "10s")
	second := start(t, hub, "second")
	people := []*person{first.join("Ann"), first.join("Bob"), first.join("Cleo")}
	second.waitFor("both are members", func() bool { return len(first.worker.cluster.node.Status().Members) == 2 })
	first.stop()
	first.waitFor("it is not ready", func() bool {
		response := first.get("/readyz")
		return response.StatusCode == http.StatusServiceUnavailable && text(response) == "draining\n"
	})
	if got := first.get("/healthz").StatusCode; got != 200 {
		t.Errorf("healthz while draining = %d, want 200", got)
	}
	for _, p := range people {
		_ = p.conn.Close()
	}
	_ = first.end()
}

func TestSettingsThatCannotWork(t *testing.T) {
	config, err := LoadConfig(env("AZURE_SERVICEBUS_CONNECTIONSTRING", "Endpoint=https://wrong/;SharedAccessKey=secret"))
	if err != nil {
		t.Fatal(err)
	}
	var unusable *ConfigError
	_, err = New(config, slog.New(slog.DiscardHandler))
	if !errors.As(err, &unusable) || strings.Contains(err.Error(), "secret") {
		t.Errorf("New = %v, want a ConfigError without the key", err)
	}
}

// A worker whose Service Bus is not there serves, is alive, and says what it waits for.
func TestWaitingForServiceBus(t *testing.T) {
	config, err := LoadConfig(env("AZURE_SERVICEBUS_CONNECTIONSTRING",
		"Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true", "EMULATOR_HTTP_PORT", "1"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, worker: w, addr: listener.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- w.Serve(ctx, listener) }()
	defer r.end()
	r.waitFor("it says what it waits for", func() bool {
		response := r.get("/readyz")
		return response.StatusCode == 503 && strings.Contains(text(response), "(waiting for")
	})
	if got := r.get("/healthz").StatusCode; got != 200 {
		t.Errorf("healthz = %d, want 200", got)
	}
}

// Figures are sent where OpenTelemetry's variables say, the last ones at the end.
func TestOTLP(t *testing.T) {
	received := make(chan string, 16)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + string(b)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	r := start(t, nil, "", "OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	_ = r.end()
	if got := <-received; !strings.HasPrefix(got, "/v1/metrics ") || !strings.Contains(got, "chat.sessions.opened") {
		t.Errorf("the collector got %.80q", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestMetricsHaveNamesAndWords(t *testing.T) {
	r := start(t, nil, "")
	seen := make(map[string]bool)
	for _, name := range r.worker.MetricNames() {
		if seen[name] || !strings.HasPrefix(name, "chat.") {
			t.Errorf("metric %q is there twice or not of the chat", name)
		}
		seen[name] = true
	}
	for _, one := range r.worker.measures() {
		if one.description == "" && one.attributes == nil || one.unit == "" {
			t.Errorf("metric %q has no description or unit", one.name)
		}
	}
	ann := r.join("Ann")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	var ack struct{ Args []struct{ OK bool } }
	if err := json.Unmarshal([]byte(ann.want(`{"ack":2`)), &ack); err != nil || len(ack.Args) != 1 || !ack.Args[0].OK {
		t.Fatalf("ack = %+v, %v", ack, err)
	}
	figures := text(r.get("/metrics"))
	for _, line := range []string{"chat_messages_total 1", "chat_users 1", "chat_sessions 1", "chat_log_latency_seconds_count 1", "chat_ready_ratio 1"} {
		if !strings.Contains(figures, "\n"+line+"\n") {
			t.Errorf("metrics lack %q", line)
		}
	}
	_ = ann.conn.Close()
}
