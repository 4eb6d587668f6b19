package chaostest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/servicebus"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/worker"
)

// A worker that meets in the log what only a newer version understands ends, so that the platform starts it again with the newer image.
func TestNewerVersionEndsWorker(t *testing.T) {
	e := emulatortest.Start(t)
	env := environment(t, e, "old", 0)
	config, err := worker.LoadConfig(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(config, worker.NewLogger(t.Output(), config.Log))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, listener) }()
	ended := false
	t.Cleanup(func() {
		cancel()
		if !ended {
			<-served
		}
	})
	(&instance{name: w.Instance(), url: "http://" + listener.Addr().String()}).ready(t)
	publishNewer(t, e)
	select {
	case err := <-served:
		ended = true
		if !errors.Is(err, backplane.ErrVersion) {
			t.Errorf("Serve = %v, want %v", err, backplane.ErrVersion)
		}
	case <-time.After(patience):
		t.Error("the worker goes on, deaf, with a log that it can't read")
	}
}

// publishNewer puts an envelope of a version far ahead on the topic: a CBOR map of the version and the least that a reader must know.
func publishNewer(t *testing.T, e *emulatortest.Server) {
	t.Helper()
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	management, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := servicebus.New(servicebus.Options{ConnectionString: e.ConnectionString(), EmulatorHTTPPort: management, Name: "new"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := bus.Publish(ctx, backplane.Message{Body: []byte{0xa2, 1, 0x18, 250, 2, 0x18, 250}}); err != nil {
		t.Error(err)
	}
	if err := bus.Close(ctx); err != nil {
		t.Error(err)
	}
}
