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

// proxy is the one address of a cluster: it passes each TCP connection on to an instance that is
// ready, in turn, as a platform's load balancer does.
type proxy struct {
	listener net.Listener
	client   *http.Client
	open     sync.WaitGroup

	mu sync.Mutex
	// mu guards
	backends []string // host:port
	next     int      // index of the backend of the next connection
	accepted []time.Time
	conns    map[net.Conn]bool
}

func startProxy(t *testing.T, instances []*instance) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		listener: listener, conns: make(map[net.Conn]bool),
		client: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
	for _, i := range instances {
		p.backends = append(p.backends, strings.TrimPrefix(i.url, "http://"))
	}
	p.open.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.open.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.mu.Lock()
		p.accepted = append(p.accepted, time.Now())
		p.mu.Unlock()
		p.open.Go(func() { p.pass(c) })
	}
}

// pass passes bytes on between a client and an instance until either closes.
func (p *proxy) pass(c net.Conn) {
	defer c.Close()
	backend := p.choose()
	if backend == nil {
		return
	}
	defer backend.Close()
	p.mu.Lock()
	p.conns[c], p.conns[backend] = true, true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.conns, c)
		delete(p.conns, backend)
	}()
	responses := make(chan struct{})
	go func() {
		defer close(responses)
		_, _ = io.Copy(c, backend) // the end of one ends the other
		c.Close()
		backend.Close()
	}()
	_, _ = io.Copy(backend, c)
	c.Close()
	backend.Close()
	<-responses
}

// choose connects to the next instance that is ready. It returns nil if there is none.
func (p *proxy) choose() net.Conn {
	p.mu.Lock()
	first := p.next
	p.next++
	p.mu.Unlock()
	for n := range p.backends {
		address := p.backends[(first+n)%len(p.backends)]
		response, err := p.client.Get((&url.URL{Scheme: "http", Host: address, Path: "/readyz"}).String())
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

// busiest returns the most connections that were accepted within any second after a moment.
func (p *proxy) busiest(since time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	most, first := 0, 0
	for i, at := range p.accepted {
		for p.accepted[first].Before(since) && first < i || at.Sub(p.accepted[first]) > time.Second {
			first++
		}
		if !at.Before(since) {
			most = max(most, i-first+1)
		}
	}
	return most
}
