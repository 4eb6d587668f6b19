// Package clients runs clients of other languages through a worker that is restarted, and holds the README's
// matrix to what they do. It has tests alone.
package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/waittest"
)

// steps are what each client does, in the order of the matrix. After a restart of the worker it has to be
// back, with its name.
var (
	firstSteps = []string{"connect", "name", "message", "binary", "ack"}
	steps      = slices.Concat(firstSteps, []string{"SIGTERM", "kill"})
)

// programs are the clients. Each prints a line of JSON for every step that it has done.
var programs = []struct {
	name    string
	rows    int
	command []string // without the address
	needs   []string // a command that succeeds where the program can run
}{
	{"JavaScript", 15, []string{"node", "javascript.mjs"},
		[]string{"node", "-e", "require('../testdata/clients/node_modules/socket.io-client-3')"}},
	{"Python", 3, []string{python(), "python.py"}, []string{python(), "-c", "import socketio, requests, websocket"}},
}

// python is the interpreter that has python-socketio.
func python() string {
	if path := os.Getenv("CHATAPP_PYTHON"); path != "" {
		return path
	}
	return "python3"
}

type step struct{ Client, Way, Nickname, Step string }

// run is one run of the matrix.
type run struct {
	mu    sync.Mutex
	done  map[string][]string // the steps of a client's way, by nickname
	names map[string]string   // the row of a nickname
}

func (r *run) record(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.Client != "" {
		r.names[s.Nickname] = s.Client + " | " + s.Way
	}
	r.done[s.Nickname] = append(r.done[s.Nickname], s.Step)
}

// did reports whether every client of a run has done the steps.
func (r *run) did(clients int, wanted ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) < clients {
		return false
	}
	for nickname := range r.names {
		for _, one := range wanted {
			if !slices.Contains(r.done[nickname], one) {
				return false
			}
		}
	}
	return true
}

// rows returns the rows of the matrix.
func (r *run) rows() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rows []string
	for nickname, name := range r.names {
		row := "| " + name + " |"
		for _, one := range steps {
			cell := " no |"
			if slices.Contains(r.done[nickname], one) {
				cell = " yes |"
			}
			row += cell
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

func TestClientMatrix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no SIGTERM")
	}
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "worker")
	if output, err := exec.Command("go", "build", "-o", binary, "chatapp/cmd/worker").CombinedOutput(); err != nil {
		t.Fatalf("build the worker: %v\n%s", err, output)
	}
	address := freeAddress(t)
	worker := startWorker(t, binary, address)
	r := &run{done: map[string][]string{}, names: map[string]string{}}
	clients := 0
	for _, p := range programs {
		if output, err := exec.Command(p.needs[0], p.needs[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
				t.Errorf("the clients in %s can't run: %v\n%s", p.name, err, output)
			}
			t.Logf("without the clients in %s: %v", p.name, err)
			continue
		}
		clients += p.rows
		startClients(t, r, p.command, "http://"+address)
		if p.name == "JavaScript" { // its witness is to hear the messages of all
			waittest.Until(t, "the witness is connected", func() bool { return r.heard("") })
		}
	}
	if clients == 0 {
		t.Skip("no clients of other languages are here")
	}
	wait := func(what string, wanted ...string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !r.did(clients, wanted...); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("%s: not all clients have done %q", what, wanted)
				return
			}
		}
	}
	wait("before a restart", firstSteps...)
	for _, s := range []struct {
		name   string
		signal os.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"kill", os.Kill}} {
		if err := worker.Process.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
		_ = worker.Wait() // "signal: killed" is no error here
		worker = startWorker(t, binary, address)
		wait("after a restart", s.name)
	}
	for _, row := range r.rows() {
		if !strings.Contains(string(readme), row+"\n") {
			t.Errorf("README.md has no row %s", row)
		}
	}
}

func (r *run) heard(nickname string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.done[nickname]) > 0
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// startWorker starts a worker, and returns when it is ready.
func startWorker(t *testing.T, binary, address string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	worker := exec.Command(binary)
	worker.Env = append(os.Environ(), "HOST="+host, "PORT="+port, "STORE=none", "SOCKETIO_V2_CLIENTS=true",
		"LOG_LEVEL=error")
	worker.Stderr = os.Stderr
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Process.Kill() }) // it may have ended
	waittest.Until(t, "the worker is ready", func() bool {
		response, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return worker
}

// startClients runs a program until the test ends, and records what it prints.
func startClients(t *testing.T, r *run, command []string, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	program := exec.CommandContext(ctx, command[0], append(command[1:], url)...)
	program.Stderr = os.Stderr
	output, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			var s step
			if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
				fmt.Fprintln(os.Stderr, lines.Text())
				continue
			}
			r.record(s)
		}
	})
	t.Cleanup(func() {
		cancel()
		reader.Wait()
		_ = program.Wait() // killed
	})
}
