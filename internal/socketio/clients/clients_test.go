// Package clients runs clients of other languages through a worker that is restarted, and holds the README's
// matrix to what they do. It has tests alone.
package clients

import (
	"bufio"
	"context"
	"crypto/sha256"
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

	"chatapp/internal/chatclient"
	"chatapp/internal/waittest"
)

// steps are what each client does, in the order of the matrix. After a restart of the worker it has to be
// back, with its name.
var (
	firstSteps = []string{"connect", "name", "message", "binary", "ack"}
	steps      = slices.Concat(firstSteps, []string{"SIGTERM", "kill"})
)

// program is a client. It prints a line of JSON for every step that it has done.
type program struct {
	name    string
	rows    int
	command []string // without the address
	needs   []string // a command that succeeds where the program can run
	built   bool     // by the script build, where its tools are
}

func programs() []program {
	java, rust := folder("java"), folder("rust")
	return []program{
		{"JavaScript", 15, []string{"node", "javascript.mjs"},
			[]string{"node", "-e", "require('../testdata/clients/node_modules/socket.io-client-3')"}, false},
		{"Python", 3, []string{python(), "python.py"},
			[]string{python(), "-c", "import socketio, requests, websocket"}, false},
		{"Java", 3, []string{"java", "-XX:TieredStopAtLevel=1", "-cp", java + ":" + java + "/lib/*", "Client"},
			[]string{"ls", filepath.Join(java, "Client.class")}, true},
		{"Rust", 3, []string{filepath.Join(rust, "client")}, []string{"ls", filepath.Join(rust, "client")}, true},
	}
}

// folder is where the script build puts a program: in a cache, by the hash of its sources.
func folder(name string) string {
	cache := os.Getenv("CHATAPP_CLIENTS")
	if cache == "" {
		cache = os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		cache = filepath.Join(cache, "chatapp-clients")
	}
	files, _ := filepath.Glob(filepath.Join(name, "*"))
	hash := sha256.New()
	for _, file := range files {
		data, _ := os.ReadFile(file) // a missing one gives another hash
		hash.Write(data)
	}
	return filepath.Join(cache, fmt.Sprintf("%s-%.8x", name, hash.Sum(nil)))
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

// missing is an error that names what clients of a run have not done of the steps.
func (r *run) missing(clients int, wanted ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var missing []string
	for nickname, name := range r.names {
		for _, one := range wanted {
			if !slices.Contains(r.done[nickname], one) {
				missing = append(missing, name+": "+one)
			}
		}
	}
	if len(r.names) < clients || len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("%d clients of %d; not done: %q", len(r.names), clients, missing)
	}
	return nil
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
	startWitness(t, r, "http://"+address)
	clients := 0
	for _, p := range programs() {
		if output, err := exec.Command(p.needs[0], p.needs[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" && !p.built {
				t.Errorf("the clients in %s can't run: %v\n%s", p.name, err, output)
			}
			t.Logf("without the clients in %s: %v\n%s", p.name, err, output)
			if p.built {
				t.Logf("./build makes them, where the tools of %s are", p.name)
			}
			continue
		}
		clients += p.rows
		startClients(t, r, p.command, "http://"+address)
	}
	if clients == 0 {
		t.Skip("no clients of other languages are here")
	}
	wait := func(what string, wanted ...string) {
		t.Helper()
		waittest.UntilNil(t, what, func() error { return r.missing(clients, wanted...) })
	}
	wait("the clients chat", firstSteps...)
	for _, s := range []struct {
		name   string
		signal os.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"kill", os.Kill}} {
		if err := worker.Process.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
		_ = worker.Wait() // "signal: killed" is no error here
		worker = startWorker(t, binary, address)
		wait("the clients are back after "+s.name, s.name)
	}
	for _, row := range r.rows() {
		if !strings.Contains(string(readme), row+"\n") {
			t.Errorf("README.md has no row %s", row)
		}
	}
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

// startWitness connects a client that records which messages arrive at others. It returns when the client receives
// what is said. It ends with the first worker, behind the steps that need it.
func startWitness(t *testing.T, r *run, url string) {
	t.Helper()
	target, err := chatclient.ParseTarget(url, chatclient.Raw)
	if err != nil {
		t.Fatal(err)
	}
	witness, err := chatclient.Dial(t.Context(), target, chatclient.Options{Protocol: chatclient.Raw})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Next(); err != nil { // the worker sends the first event when it lets the client in
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			m, err := witness.Next()
			if err != nil {
				return
			}
			var from, text string
			if m.Event == "user message" && json.Unmarshal(m.Args[0], &from) == nil &&
				json.Unmarshal(m.Args[1], &text) == nil && text == "hello" {
				r.record(step{Nickname: from, Step: "message"})
			}
		}
	})
	t.Cleanup(func() {
		witness.Abort()
		reader.Wait()
	})
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
