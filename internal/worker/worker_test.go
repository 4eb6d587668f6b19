package worker

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/leaktest"
	"chatapp/internal/logtest"
	"chatapp/internal/waittest"
)

// TestMain has many tests run at the same time, because they mostly wait, for example for drains.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	leaktest.Main(m)
}

// running is a worker that serves on loopback until the test ends.
type running struct {
	t      *testing.T
	worker *Worker
	addr   string
	log    *logBuffer
	stop   context.CancelFunc
	ended  chan error
}

// logBuffer keeps a worker's log lines and copies them to the test's output.
type logBuffer struct {
	logtest.Buffer
	out io.Writer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	_, _ = b.Buffer.Write(p)
	return b.out.Write(p)
}

func (b *logBuffer) contains(text string) bool { return strings.Contains(b.String(), text) }

// start serves a worker on a hub, or on the bus of its configuration if hub is nil, and waits until it is ready.
func start(t *testing.T, hub *inprocess.Hub, name string, pairs ...string) *running {
	t.Helper()
	r := serve(t, hub, name, pairs...)
	waittest.Until(t, "the worker is ready", func() bool { return r.get("/readyz").StatusCode == http.StatusOK })
	return r
}

// serve is start without waiting.
func serve(t *testing.T, hub *inprocess.Hub, name string, pairs ...string) *running {
	t.Helper()
	config, err := LoadConfig(env(append([]string{"STORE", "none"}, pairs...)...))
	if err != nil {
		t.Fatal(err)
	}
	buffer := &logBuffer{out: t.Output()}
	log := slog.New(slog.NewTextHandler(buffer, nil))
	var w *Worker
	if hub != nil {
		w, err = NewOn(config, log, hub.Join(name))
	} else {
		w, err = New(config, log)
	}
	if err != nil {
		t.Fatal(err)
	}
	if w.storage != nil {
		w.storage.every = 50 * time.Millisecond
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{
		t: t, worker: w, addr: listener.Addr().String(), log: buffer, stop: stop, ended: make(chan error, 1),
	}
	go func() { r.ended <- w.Serve(ctx, listener) }()
	t.Cleanup(r.end)
	return r
}

// end stops the worker, once, and waits until Serve has returned.
func (r *running) end() {
	r.stop()
	if err, open := <-r.ended; open {
		close(r.ended)
		if err != nil {
			r.t.Errorf("Serve = %v", err)
		}
	}
}

// get makes a request on a connection of its own and reads the whole response.
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

// members returns how many instances the worker sees in the cluster.
func (r *running) members() int { return len(r.worker.cluster.node.Status().Members) }

// startTwo starts two workers that are one cluster. The pairs are variables of the first; the second drains at once.
func startTwo(t *testing.T, pairs ...string) (first, second *running) {
	t.Helper()
	hub := inprocess.NewHub(inprocess.Options{})
	first, second = start(t, hub, "first", pairs...), start(t, hub, "second", "DRAIN_TIMEOUT", "0s")
	waittest.Until(t, "both are members", func() bool { return first.members() == 2 && second.members() == 2 })
	return first, second
}

// user is a client on a raw WebSocket.
type user struct {
	t    *testing.T
	conn *websocket.Conn
}

// connect opens a raw WebSocket that is closed with the test.
func (r *running) connect(header http.Header) *user {
	r.t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+r.addr+"/ws", header)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &user{r.t, conn}
}

func (r *running) join(nick string) *user {
	r.t.Helper()
	u := r.connect(nil)
	u.send(`{"event":"nickname","args":["` + nick + `"],"id":1}`)
	u.want(`{"ack":1,"args":[false,`)
	return u
}

func (u *user) send(message string) {
	u.t.Helper()
	if err := u.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		u.t.Fatal(err)
	}
}

// want reads until a message starts with a prefix, and returns that message.
func (u *user) want(prefix string) string {
	u.t.Helper()
	_ = u.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, b, err := u.conn.ReadMessage()
		if err != nil {
			u.t.Fatalf("read %v, want %s", err, prefix)
		}
		if strings.HasPrefix(string(b), prefix) {
			return string(b)
		}
	}
}

func TestWorkersAreOneChat(t *testing.T) {
	t.Parallel()
	first, second := startTwo(t)
	ann, bob := first.join("Ann"), second.join("Bob")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	bob.want(`{"event":"user message","args":["Ann","hello",`)
	ann.want(`{"ack":2,"args":[{"ok":true`)
	bob.send(`{"event":"nickname","args":["Ann"],"id":3}`)
	bob.want(`{"ack":3,"args":[true,`)
}

// In the configuration 0 means no limit; the chat's default of five messages a second must not apply.
func TestMessageRateZeroIsNoLimit(t *testing.T) {
	t.Parallel()
	ann := start(t, nil, "", "MESSAGE_RATE", "0").join("Ann")
	const messages = 40
	for range messages {
		ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	}
	for range messages {
		ann.want(`{"ack":2,"args":[{"ok":true`)
	}
}

func TestNicknameHeaderSignsIn(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "NICKNAME_HEADER", "X-User", "TRUSTED_PROXIES", "127.0.0.1")
	ann := r.connect(http.Header{"X-User": {"Ann"}})
	for {
		if session := ann.want(`{"event":"session"`); strings.Contains(session, `"name":"Ann"`) {
			return
		}
	}
}

func TestNewRejectsBadConnectionString(t *testing.T) {
	config, err := LoadConfig(env("AZURE_SERVICEBUS_CONNECTIONSTRING",
		"Endpoint=https://wrong/;SharedAccessKey=secret"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(config, slog.New(slog.DiscardHandler))
	if _, ok := errors.AsType[*ConfigError](err); !ok || strings.Contains(err.Error(), "secret") {
		t.Errorf("New = %v, want a ConfigError without the key", err)
	}
}
