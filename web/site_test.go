package web_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/worker"
)

// site is the whole server: workers joined by a bus, each behind an address that can be cut off.
type site struct {
	front []*front
	topic *backplanetest.Topic // of newSiteOnTopic
	buses []*backplanetest.Bus
}

// newSite starts so many workers, whose names are worker-1, worker-2 and so on. Settings are variables of their
// environment, as NAME=value.
func newSite(t *testing.T, instances int, settings ...string) *site {
	t.Helper()
	browser(t) // without one there is nobody to serve
	s := &site{}
	hub := inprocess.NewHub(inprocess.Options{})
	for range instances {
		bus := hub.Join(s.nextName())
		t.Cleanup(bus.Close)
		s.start(t, bus, settings)
	}
	return s
}

// newSiteOnTopic does so with a bus that can be made to fail.
func newSiteOnTopic(t *testing.T, instances int, settings ...string) *site {
	t.Helper()
	browser(t)
	s := &site{topic: backplanetest.NewTopic(1, 0)}
	for i := range instances {
		bus := s.topic.Join(s.nextName())
		s.buses = append(s.buses, bus)
		s.start(t, founder{bus, i == 0}, settings)
	}
	return s
}

// founder is a bus that knows whether its instance is the first.
type founder struct {
	*backplanetest.Bus
	first bool
}

func (f founder) Alone(context.Context) (bool, error) { return f.first, nil }

func (s *site) nextName() string { return "worker-" + strconv.Itoa(len(s.front)+1) }

// start starts a worker on a bus, and returns when it is ready.
func (s *site) start(t *testing.T, bus backplane.Bus, settings []string) {
	t.Helper()
	environment := map[string]string{"DRAIN_TIMEOUT": "50ms"}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		environment[name] = value
	}
	config, err := worker.LoadConfig(func(name string) string { return environment[name] })
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.NewOn(config, slog.New(slog.DiscardHandler), bus)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Serve(ctx, listener); err != nil {
			t.Errorf("%s ends: %v", bus.Instance(), err)
		}
	}()
	f := newFront(t, listener.Addr().String())
	f.drain = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(f.drain)
	awaitReady(t, bus.Instance(), listener.Addr().String())
	s.front = append(s.front, f)
}

// awaitReady asks a worker, as a platform does, until it wants clients.
func awaitReady(t *testing.T, name, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not ready after %v", name, patience)
		case <-again.C:
		}
	}
}

// url is where instance i is reached.
func (s *site) url(i int) string { return "http://" + s.front[i].address }
