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
	"testing"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
)

// clientsDir has the official JavaScript clients and what they say.
const clientsDir = "testdata/clients"

// requireNode skips the test where Node or the clients' packages are missing, unless everything optional is required.
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

// application is what the clients talk to.
func application(o socketio.Options) *socketio.Server {
	server := socketio.NewServer(o)
	ns := server.Of("/")
	ns.OnConnect(func(s *socketio.Socket) {
		_ = s.Emit("auth", socketio.Raw(s.Auth()), s.Handshake().Query().Get("room"), nil)
	})
	ns.On("message", func(s *socketio.Socket, e *socketio.Event) { _ = s.Emit("message-back", e.Values()...) })
	ns.On("message-with-ack", func(_ *socketio.Socket, e *socketio.Event) { _ = e.Ack(e.Values()...) })
	ns.On("ask me", func(s *socketio.Socket, e *socketio.Event) {
		timeout := 30 * time.Second
		if s, _ := e.String(0); s == "no answer" {
			timeout = 50 * time.Millisecond
		}
		_ = s.EmitWithAck(timeout, func(args *socketio.Args, err error) {
			if err != nil {
				_ = s.Emit("answered", err.Error(), nil)
				return
			}
			_ = s.Emit("answered", append([]any{nil}, args.Values()...)...)
		}, "question", e.Value(0), []byte{9})
	})
	ns.On("join", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		s.Join(room)
		_ = e.Ack()
	})
	ns.On("tell", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		_ = s.To(room).Emit("news", e.Value(1))
	})
	ns.On("tell everybody", func(s *socketio.Socket, e *socketio.Event) {
		room, _ := e.String(0)
		_ = ns.To(room).Emit("news", e.Value(1))
		_ = s.Emit("told", nil)
	})
	ns.On("is there", func(_ *socketio.Socket, e *socketio.Event) {
		id, _ := e.String(0)
		_ = e.Ack(ns.Socket(id) != nil)
	})
	ns.On("disconnect me", func(s *socketio.Socket, _ *socketio.Event) { s.Disconnect() })
	ns.On("close me", func(s *socketio.Socket, _ *socketio.Event) { s.CloseConnection() })
	server.Of("guarded").Use(func(s *socketio.Socket) error {
		var auth struct{ Token string }
		if err := json.Unmarshal(s.Auth(), &auth); err != nil || auth.Token != "right" {
			return &socketio.ConnectError{Message: "not authorized", Data: map[string]int{"code": 401}}
		}
		return nil
	})
	return server
}

// serving is an application on a port.
type serving struct {
	address string
	sockets *socketio.Server
	engine  *engineio.Server
	web     *http.Server
}

func serve(t *testing.T, address string, o socketio.Options, engineOptions engineio.Options) *serving {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	sockets := application(o)
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
	_ = s.sockets.Close()
	_ = s.web.Close()
}

// talk runs the conversations of a mode and makes each a subtest. It hands lines that are not a conversation's end to
// control.
func talk(t *testing.T, mode, address string, control func(line map[string]string, stdin io.Writer)) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "clients.mjs", mode, "http://"+address)
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
			t.Errorf("the clients say %q", lines.Text())
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

func TestClients(t *testing.T) {
	requireNode(t)
	s := serve(t, "127.0.0.1:0", socketio.Options{}, engineio.Options{})
	defer s.stop(t)
	talk(t, "version4", s.address, nil)
}

func TestClientsRecover(t *testing.T) {
	requireNode(t)
	s := serve(t, "127.0.0.1:0", socketio.Options{Recovery: socketio.NewMemoryRecovery(0, 0)}, engineio.Options{})
	defer s.stop(t)
	talk(t, "recovery", s.address, nil)
}

func TestClientsOfVersion2(t *testing.T) {
	requireNode(t)
	t.Run("let in", func(t *testing.T) {
		s := serve(t, "127.0.0.1:0", socketio.Options{}, engineio.Options{Protocol3: true})
		defer s.stop(t)
		talk(t, "version2", s.address, nil)
	})
	t.Run("refused", func(t *testing.T) {
		s := serve(t, "127.0.0.1:0", socketio.Options{}, engineio.Options{})
		defer s.stop(t)
		talk(t, "refused", s.address, nil)
	})
}

func TestClientsReconnectAfterRestart(t *testing.T) {
	requireNode(t)
	s := serve(t, "127.0.0.1:0", socketio.Options{Recovery: socketio.NewMemoryRecovery(0, 0)}, engineio.Options{})
	talk(t, "restart", s.address, func(_ map[string]string, stdin io.Writer) {
		s.stop(t)
		s = serve(t, s.address, socketio.Options{Recovery: socketio.NewMemoryRecovery(0, 0)}, engineio.Options{})
		if _, err := fmt.Fprintln(stdin, "restarted"); err != nil {
			t.Errorf("tell the clients: %v", err)
		}
	})
	s.stop(t)
}
