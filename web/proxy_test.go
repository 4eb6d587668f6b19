package web_test

import (
	"net"
	"sync"
	"testing"
)

// proxy passes connections on to an instance, and fails as a network does when a test asks for it.
type proxy struct {
	address string
	drain   func() // shuts the instance down, and returns when it has ended

	mu         sync.Mutex // guards what follows
	target     string
	listener   net.Listener
	conns      map[net.Conn]bool
	discarding bool
	paused     chan struct{} // while not nil, bytes wait until it is closed
}

func newProxy(t *testing.T, target string) *proxy {
	p := &proxy{target: target, conns: map[net.Conn]bool{}}
	if err := p.listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.address = p.listener.Addr().String()
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	p.listener = l
	go p.accept(l)
	return nil
}

func (p *proxy) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		go p.pipe(in, out)
		go p.pipe(out, in)
	}
}

func (p *proxy) pipe(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		discarding, paused := p.discarding, p.paused
		p.mu.Unlock()
		if paused != nil {
			<-paused
		}
		if discarding {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// discard drops all bytes without closing connections, as a network does that is gone silently. It
// lasts until reopen.
func (p *proxy) discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarding = true
}

// pause keeps all bytes back until resume, as a slow network does.
func (p *proxy) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

// cut closes all connections and accepts no others until reopen.
func (p *proxy) cut() {
	p.resume()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener.Close()
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// reopen accepts connections again, at the same address.
func (p *proxy) reopen(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discarding = false
	if err := p.listen(p.address); err != nil {
		t.Fatal(err)
	}
}

// redirect passes new connections on to the instance of another proxy.
func (p *proxy) redirect(other *proxy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = other.target
}
