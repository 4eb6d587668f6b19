package chaostest

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// front is the one address of a site: it passes each TCP connection on to an instance that says it is ready, in turn, as the load
// balancer of a platform does.
type front struct {
	listener net.Listener
	client   *http.Client
	open     sync.WaitGroup

	mu sync.Mutex
	// mu guards
	backends []string // host:port
	turn     int
	accepted []time.Time
	conns    map[net.Conn]bool
}

func startFront(t *testing.T, instances []*instance) *front {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{listener: listener, conns: make(map[net.Conn]bool),
		client: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	for _, i := range instances {
		f.backends = append(f.backends, strings.TrimPrefix(i.url, "http://"))
	}
	f.open.Go(f.accept)
	t.Cleanup(func() {
		listener.Close()
		f.mu.Lock()
		for c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		f.open.Wait()
	})
	return f
}

func (f *front) url() string { return "http://" + f.listener.Addr().String() }

func (f *front) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			return // closed
		}
		f.mu.Lock()
		f.accepted = append(f.accepted, time.Now())
		f.mu.Unlock()
		f.open.Go(func() { f.pass(c) })
	}
}

// pass passes bytes on between a client and an instance until either is gone.
func (f *front) pass(c net.Conn) {
	defer c.Close()
	backend := f.choose()
	if backend == nil {
		return
	}
	defer backend.Close()
	f.mu.Lock()
	f.conns[c], f.conns[backend] = true, true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.conns, c)
		delete(f.conns, backend)
	}()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, backend) // however it ends, both do
		c.Close()
		backend.Close()
	}()
	_, _ = io.Copy(backend, c)
	c.Close()
	backend.Close()
	<-back
}

// choose connects to the next instance that is ready; nil if there is none.
func (f *front) choose() net.Conn {
	f.mu.Lock()
	first := f.turn
	f.turn++
	f.mu.Unlock()
	for n := range f.backends {
		address := f.backends[(first+n)%len(f.backends)]
		response, err := f.client.Get((&url.URL{Scheme: "http", Host: address, Path: "/readyz"}).String())
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			continue
		}
		if c, err := net.Dial("tcp", address); err == nil {
			return c
		}
	}
	return nil
}

// busiest is the most connections that were accepted within a second since a moment.
func (f *front) busiest(since time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	most, first := 0, 0
	for i, at := range f.accepted {
		for f.accepted[first].Before(since) && first < i || at.Sub(f.accepted[first]) > time.Second {
			first++
		}
		if !at.Before(since) {
			most = max(most, i-first+1)
		}
	}
	return most
}
