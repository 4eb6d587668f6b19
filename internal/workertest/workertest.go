// Package workertest serves workers on loopback ports within a test's process.
package workertest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/waittest"
	"chatapp/internal/worker"
)

// Server is a worker that serves until Stop, or until the test ends.
type Server struct {
	Worker  *worker.Worker
	Address string // host:port
	URL     string // http://host:port

	t      testing.TB
	cancel context.CancelFunc
	done   chan struct{} // closed when Serve has returned
	err    error         // what Serve returned; set before done is closed
}

// Start serves a worker and waits until it is ready. The worker joins bus; a nil bus stands for the
// one that the settings name. Each setting is an environment variable, as "NAME=value". They apply
// on top of a short DRAIN_TIMEOUT and STORE=none.
func Start(t testing.TB, bus backplane.Bus, settings ...string) *Server {
	t.Helper()
	s := StartUnready(t, bus, settings...)
	s.WaitReady()
	return s
}

// StartUnready is Start for a worker that can't be ready yet: it does not wait.
func StartUnready(t testing.TB, bus backplane.Bus, settings ...string) *Server {
	t.Helper()
	environment := map[string]string{"DRAIN_TIMEOUT": "50ms", "STORE": "none"}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		environment[name] = value
	}
	config, err := worker.LoadConfig(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	w, err := assemble(config, logger(t), bus)
	if err != nil {
		t.Fatal(err)
	}
	return Serve(t, w)
}

func assemble(config worker.Config, log *slog.Logger, bus backplane.Bus) (*worker.Worker, error) {
	if bus == nil {
		return worker.New(config, log)
	}
	return worker.NewOn(config, log, bus)
}

// logger writes to the test's output: all of a worker's log with go test -v, and what someone has
// to look at without.
func logger(t testing.TB) *slog.Logger {
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
}

// Serve is Start for a worker that the caller has made, and does not wait until it is ready.
func Serve(t testing.TB, w *worker.Worker) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	address := listener.Addr().String()
	s := &Server{
		Worker: w, Address: address, URL: "http://" + address,
		t: t, cancel: cancel, done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		s.err = w.Serve(ctx, listener)
	}()
	t.Cleanup(s.Stop)
	return s
}

// WaitReady waits until the worker wants clients, as it tells a platform's readiness probe.
func (s *Server) WaitReady() {
	s.t.Helper()
	WaitReady(s.t, s.URL)
}

// WaitReady waits until the worker at a URL wants clients. The worker may be one in another process.
func WaitReady(t testing.TB, url string) {
	t.Helper()
	waittest.UntilNil(t, "the worker at "+url+" is ready", func() error { return ready(url) })
}

// client makes a connection for each request, so that none remains when a test ends.
var client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ready returns why a worker does not want clients, nil if it does.
func ready(url string) error {
	response, err := client.Get(url + "/readyz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	why, _ := io.ReadAll(response.Body)
	return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(why)))
}

// Drain has the worker release its clients and end, and does not wait for that.
func (s *Server) Drain() { s.cancel() }

// Stop drains the worker and waits for its end. The test fails if the worker ended with an error.
// The test's clean-up calls Stop, too; all calls but the first do nothing.
func (s *Server) Stop() {
	s.t.Helper()
	s.cancel()
	if err := s.Wait(); err != nil {
		s.t.Errorf("worker %s ended: %v", s.Worker.Instance(), err)
	}
}

// Wait waits until the worker has ended by itself or after Drain, and returns its error to the
// first caller.
func (s *Server) Wait() error {
	<-s.done
	err := s.err
	s.err = nil // the caller has it
	return err
}
