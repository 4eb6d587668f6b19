package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// relay is an instance's way to the bus, and where it is disturbed: all its connections, of AMQP and of management, pass here. Its methods
// may be called from any goroutine.
type relay struct {
	// immutable
	listener net.Listener
	target   string // the emulator's address

	serving sync.WaitGroup // the accepting goroutine, and two for each connection

	mu sync.Mutex
	// mu guards
	conns  map[net.Conn]struct{} // of both sides
	gate   chan struct{}         // closed while traffic passes
	delay  time.Duration         // each way
	heal   *time.Timer           // ends the partition; nil where none is or it has no end
	closed chan struct{}
}

// newRelay listens on a free port of the loopback interface and passes on what comes to target, until it is closed.
func newRelay(target string) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for an instance's connections to the bus: %w", err)
	}
	r := &relay{
		listener: listener, target: target,
		conns: make(map[net.Conn]struct{}), gate: make(chan struct{}), closed: make(chan struct{}),
	}
	close(r.gate)
	r.serving.Go(r.accept)
	return r, nil
}

// port is where the instance finds the bus.
func (r *relay) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// partition lets nothing pass any more, in neither direction, and says nothing of it: what is sent waits. It ends after a time, or by mend; 0
// is for ever.
func (r *relay) partition(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mendLocked()
	r.gate = make(chan struct{})
	if d > 0 {
		r.heal = time.AfterFunc(d, r.mend)
	}
}

// mend ends a partition: what waited passes.
func (r *relay) mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mendLocked()
}

func (r *relay) mendLocked() {
	if r.heal != nil {
		r.heal.Stop()
		r.heal = nil
	}
	select {
	case <-r.gate:
	default:
		close(r.gate)
	}
}

// cut tells whether nothing passes.
func (r *relay) cut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.gate:
		return false
	default:
		return true
	}
}

// slow makes everything take that much longer each way; 0 ends it.
func (r *relay) slow(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// drop breaks all connections, and returns how many there were.
func (r *relay) drop() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
	return len(r.conns) / 2
}

// close ends everything and waits for it.
func (r *relay) close() {
	r.mu.Lock()
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
	r.mendLocked()
	_ = r.listener.Close()
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}

func (r *relay) accept() {
	for {
		c, err := r.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // of one connection that has gone already
			continue
		}
		r.serving.Go(func() { r.serve(c) })
	}
}

// serve passes on one connection until either side ends it.
func (r *relay) serve(near net.Conn) {
	defer near.Close()
	if !r.passes() {
		return
	}
	far, err := net.Dial("tcp", r.target)
	if err != nil {
		return // the bus is down: so the instance finds it
	}
	defer far.Close()
	if !r.keep(near, far) {
		return
	}
	defer r.forget(near, far)
	back := make(chan struct{})
	r.serving.Go(func() {
		defer close(back)
		r.pass(near, far)
	})
	r.pass(far, near)
	<-back
}

func (r *relay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.closed:
		return false
	default:
	}
	for _, c := range conns {
		r.conns[c] = struct{}{}
	}
	return true
}

func (r *relay) forget(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.conns, c)
	}
}

// passes waits while the relay is partitioned. It returns false when the relay is closed.
func (r *relay) passes() bool {
	r.mu.Lock()
	gate := r.gate
	r.mu.Unlock()
	select {
	case <-gate:
	case <-r.closed:
	}
	select {
	case <-r.closed:
		return false
	default:
		return true
	}
}

// waits out the delay. It returns false when the relay is closed.
func (r *relay) waits() bool {
	r.mu.Lock()
	delay := r.delay
	r.mu.Unlock()
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.closed:
		return false
	}
}

const relayBuffer = 64 << 10

// pass copies one direction until it ends, and then ends the other.
func (r *relay) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, relayBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !r.waits() || !r.passes() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				r.passes() // in a partition the end of a connection is not heard of either
			}
			return
		}
	}
}
