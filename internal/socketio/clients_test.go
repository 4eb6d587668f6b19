package socketio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// clientsDir holds the official JavaScript clients and the conversations that they have.
const clientsDir = "testdata/clients"

// requireNode skips the test where Node or the clients' packages are missing, unless everything
// optional is required.
func requireNode(t *testing.T) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
		skip = t.Fatalf
	}
	if _, err := exec.LookPath("node"); err != nil {
		skip("no Node to run the official clients: %v", err)
	}
	if _, err := os.Stat(filepath.Join(clientsDir, "node_modules")); err != nil {
		skip("no packages of the official clients: run npm ci in internal/socketio/%s", clientsDir)
	}
}

// application returns the server of the conversations. log is nil for one without recovery.
func application(log *newsLog) *socketio.Server {
	var o socketio.Options
	if log != nil {
		o.Recovery = log.restore
	}
	server := socketio.NewServer(o)
	ns := server.Of("/")
	if log != nil {
		log.attach(server)
	}
	ns.OnConnect(func(s *socketio.Socket) {
		_ = s.Emit("auth", json.RawMessage(s.Auth()), s.Handshake().Query().Get("room"), nil)
	})
	ns.On("message", func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit("message-back", e.Values()...) })
	ns.On("message-with-ack", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack(e.Values()...) })
	ns.On("join", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		if log != nil {
			log.join(s, room)
		} else {
			s.Join(room)
		}
		_ = e.Ack()
	})
	ns.On("to others", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		_ = ns.To(room).Except(s.ID()).Emit("news", e.Values()[1])
	})
	ns.On("to all", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		text, _ := e.String(1)
		log.publish(room, text)
		_ = s.Emit("sent", nil)
	})
	ns.On("is there", func(_ *socketio.Socket, e *socketio.Event) {
		id, _ := e.String(0)
		_ = e.Ack(ns.Socket(id) != nil)
	})
	ns.On("burst", func(s *socketio.Socket, e *socketio.Event) {
		var n int
		_ = e.Decode(0, &n)
		for i := range n {
			_ = s.Emit("tick", i)
		}
	})
	tries := new(counters)
	ns.On("flaky", func(_ *socketio.Socket, e *socketio.Event) {
		key, _ := e.String(0)
		var n int
		_ = e.Decode(1, &n)
		if count := tries.next(key); count >= n {
			_ = e.Ack(count)
		}
	})
	ns.On("disconnect me", func(s *socketio.Socket, _ *socketio.Event) { s.Disconnect() })
	server.Of("other").OnConnect(func(s *socketio.Socket) { _ = s.Emit("auth", json.RawMessage(s.Auth())) })
	return server
}

// counters count by name.
type counters struct {
	mu sync.Mutex
	// mu guards
	counts map[string]int
}

func (c *counters) next(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[name]++
	return c.counts[name]
}

// serving is an application on a port.
type serving struct {
	address string
	sockets *socketio.Server
	engine  *engineio.Server
	web     *http.Server
}

func serve(t *testing.T, address string, log *newsLog, engineOptions engineio.Options) *serving {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	sockets := application(log)
	engine := engineio.NewServer(sockets, engineOptions)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", engine)
	s := &serving{listener.Addr().String(), sockets, engine, &http.Server{Handler: mux}}
	go func() { _ = s.web.Serve(listener) }() // until Close
	return s
}

func (s *serving) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.engine.Shutdown(ctx); err != nil {
		t.Errorf("shut down: %v", err)
	}
	s.sockets.Close()
	_ = s.web.Close()
}

// converse runs the conversations of a mode, each as a subtest. It passes lines that do not end a
// conversation to control.
func converse(t *testing.T, mode, address string, control func(line map[string]string, stdin io.Writer)) {
	t.Helper()
	runClients(t, control, "clients.mjs", mode, "http://"+address)
}

// runClients runs a script of clientsDir, which prints a line of JSON for each conversation, and makes each
// a subtest.
func runClients(t *testing.T, control func(line map[string]string, stdin io.Writer), arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", arguments...)
	node.Dir = clientsDir
	node.Stderr = os.Stderr
	stdin, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	count := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		line := map[string]string{}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Errorf("the clients print %q", lines.Text())
			continue
		}
		if line["name"] == "" {
			control(line, stdin)
			continue
		}
		count++
		t.Run(line["name"], func(t *testing.T) {
			if line["error"] != "" {
				t.Error(line["error"])
			}
		})
	}
	if err := node.Wait(); err != nil || count == 0 {
		t.Errorf("the clients end after %d conversations: %v", count, err)
	}
}

func TestOfficialClients(t *testing.T) {
	t.Parallel()
	requireNode(t)
	s := serve(t, "127.0.0.1:0", nil, engineio.Options{})
	defer s.stop(t)
	converse(t, "version4", s.address, nil)
}

func TestOfficialClientsRecover(t *testing.T) {
	t.Parallel()
	requireNode(t)
	s := serve(t, "127.0.0.1:0", &newsLog{}, engineio.Options{})
	defer s.stop(t)
	converse(t, "recovery", s.address, nil)
}

func TestOfficialClientsOfVersion2(t *testing.T) {
	t.Parallel()
	requireNode(t)
	t.Run("let in", func(t *testing.T) {
		s := serve(t, "127.0.0.1:0", nil, engineio.Options{Protocol3: true})
		defer s.stop(t)
		converse(t, "version2", s.address, nil)
	})
	t.Run("refused", func(t *testing.T) {
		s := serve(t, "127.0.0.1:0", nil, engineio.Options{})
		defer s.stop(t)
		converse(t, "refused", s.address, nil)
	})
}

func TestOfficialClientsReconnectAfterRestart(t *testing.T) {
	t.Parallel()
	requireNode(t)
	s := serve(t, "127.0.0.1:0", &newsLog{}, engineio.Options{})
	converse(t, "restart", s.address, func(_ map[string]string, stdin io.Writer) {
		s.stop(t)
		s = serve(t, s.address, &newsLog{}, engineio.Options{})
		if _, err := fmt.Fprintln(stdin, "restarted"); err != nil {
			t.Errorf("notify the clients: %v", err)
		}
	})
	s.stop(t)
}
