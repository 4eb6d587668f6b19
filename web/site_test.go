package web_test

import (
	"context"
	"strconv"
	"testing"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/workertest"
)

// site is a cluster of workers, each behind a proxy that can fail.
type site struct {
	proxies []*proxy
	topic   *backplanetest.Topic // of newSiteOnTopic
	buses   []*backplanetest.Bus
}

// newSite starts a cluster whose instances are named worker-1, worker-2 and so on. Settings are
// environment variables, as NAME=value.
func newSite(t *testing.T, instances int, settings ...string) *site {
	t.Helper()
	browser(t) // skips the test before anything is started
	s := &site{}
	hub := inprocess.NewHub(inprocess.Options{})
	for range instances {
		bus := hub.Join(s.nextName())
		t.Cleanup(bus.Close)
		s.start(t, bus, settings)
	}
	return s
}

// newSiteOnTopic starts a cluster on a bus that can fail.
func newSiteOnTopic(t *testing.T, instances int, settings ...string) *site {
	t.Helper()
	browser(t)
	s := &site{topic: backplanetest.NewTopic(1, 0)}
	for i := range instances {
		bus := s.topic.Join(s.nextName())
		s.buses = append(s.buses, bus)
		s.start(t, bootstrapBus{bus, i == 0}, settings)
	}
	return s
}

// bootstrapBus tells the first instance that it is alone, so that it bootstraps the log at once.
type bootstrapBus struct {
	*backplanetest.Bus
	first bool
}

func (b bootstrapBus) Alone(context.Context) (bool, error) { return b.first, nil }

func (s *site) nextName() string { return "worker-" + strconv.Itoa(len(s.proxies)+1) }

// start starts a worker on a bus, and returns when it is ready.
func (s *site) start(t *testing.T, bus backplane.Bus, settings []string) {
	t.Helper()
	server := workertest.Start(t, bus, settings...)
	p := newProxy(t, server.Address)
	p.drain = server.Stop
	s.proxies = append(s.proxies, p)
}

// url returns the address of instance i.
func (s *site) url(i int) string { return "http://" + s.proxies[i].address }
