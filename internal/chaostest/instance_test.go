package chaostest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strconv"
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
	nameHold  = 30 * time.Second
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
