package chaostest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/worker"
)

// instance is a worker, in this process or in one of its own.
type instance struct {
	name string // in the cluster
	url  string
	port int
	end  func() // ends it in order, and waits
	cmd  *exec.Cmd
}

// environment is what a worker is told. Heartbeats are short, so that clients notice soon that an instance has died.
func environment(t *testing.T, e *emulatortest.Server, replica string, port int) map[string]string {
	_, httpPort, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"PORT":                              strconv.Itoa(port),
		"AZURE_SERVICEBUS_CONNECTIONSTRING": e.ConnectionString(),
		"EMULATOR_HTTP_PORT":                httpPort,
		"CONTAINER_APP_REPLICA_NAME":        replica,
		"PING_INTERVAL":                     heartbeat.String(),
		"PING_TIMEOUT":                      heartbeat.String(),
		"NAME_HOLD":                         nameHold.String(),
		"MESSAGE_RATE":                      "0",
		"DRAIN_TIMEOUT":                     drain.String(),
		"LOG_FORMAT":                        "json",
	}
}

const (
	heartbeat = 3 * time.Second
	drain     = 4 * time.Second
	nameHold  = 10 * time.Second
)

// startHere starts a worker in this process.
func startHere(t *testing.T, e *emulatortest.Server, replica string) *instance {
	t.Helper()
	env := environment(t, e, replica, 0)
	config, err := worker.LoadConfig(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	w, err := worker.New(config, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, listener) }()
	i := &instance{name: w.Instance(), url: "http://" + listener.Addr().String()}
	ended := false
	i.end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-served; err != nil {
			t.Errorf("worker %s ended: %v", i.name, err)
		}
	}
	t.Cleanup(i.end)
	return i
}

// startProcess starts a worker in a process of its own.
func startProcess(t *testing.T, e *emulatortest.Server, replica string, port int) *instance {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{cmd: exec.Command(executable)}
	i.cmd.Env = append(os.Environ(), asWorker+"=1")
	for name, value := range environment(t, e, replica, port) {
		i.cmd.Env = append(i.cmd.Env, name+"="+value)
	}
	stderr, err := i.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, read := make(chan [2]string, 1), make(chan struct{})
	go func() {
		defer close(read)
		readLog(t, replica, stderr, listening)
	}()
	ended := false
	i.end = func() {
		if ended {
			return
		}
		ended = true
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // or it has ended already
		kill := time.AfterFunc(patience, func() { _ = i.cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		_ = i.cmd.Wait() // its status is of no interest: it may have been killed
	}
	t.Cleanup(i.end)
	select {
	case l := <-listening:
		i.name, i.url = l[0], "http://"+l[1]
	case <-read:
		t.Fatalf("worker %s has ended before it listened", replica)
	case <-time.After(patience):
		t.Fatalf("worker %s does not listen after %v", replica, patience)
	}
	_, text, err := net.SplitHostPort(strings.TrimPrefix(i.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if i.port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return i
}

// readLog reads a process's log to its end: where it listens, and what to look at.
func readLog(t *testing.T, replica string, r io.Reader, listening chan<- [2]string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Level, Msg, Instance, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "worker listening" {
			listening <- [2]string{line.Instance, line.Addr}
		}
		if line.Level != "INFO" || testing.Verbose() {
			fmt.Fprintf(t.Output(), "%s: %s\n", replica, lines.Text())
		}
	}
}

// ready waits until an instance is in the cluster.
func (i *instance) ready(t *testing.T) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	until(t, i.name+" is ready", func() error {
		response, err := client.Get(i.url + "/readyz")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if why, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s", why)
		}
		return nil
	})
}

func (i *instance) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := i.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v to %s: %v", s, i.name, err)
	}
}
