package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// relay carries all connections of an instance to the bus, AMQP and management alike, and disturbs
// them on request. Its methods may be called from any goroutine.
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
	heal   *time.Timer           // ends the partition; nil without one or without an end
	closed chan struct{}
}

// newRelay listens on a free loopback port and forwards connections to target until close is
// called.
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

// port returns the port at which the instance reaches the bus.
func (r *relay) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

// partition silently holds back all bytes in both directions. It ends after d, or by endPartition
// if d is 0.
func (r *relay) partition(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.healLocked()
	r.gate = make(chan struct{})
	if d > 0 {
		r.heal = time.AfterFunc(d, r.endPartition)
	}
}

// endPartition forwards what a partition has held back.
func (r *relay) endPartition() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.healLocked()
}

func (r *relay) healLocked() {
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

// partitioned reports whether a partition is in force.
func (r *relay) partitioned() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.gate:
		return false
	default:
		return true
	}
}

// slow delays everything by d each way; 0 ends the delay.
func (r *relay) slow(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// drop closes all connections, and returns how many there were.
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
	r.healLocked()
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
		case err != nil: // the connection has already gone
			continue
		}
		r.serving.Go(func() { r.serve(c) })
	}
}

// serve forwards one connection until either side ends it.
func (r *relay) serve(near net.Conn) {
	defer near.Close()
	if !r.waitPartition() {
		return
	}
	far, err := net.Dial("tcp", r.target)
	if err != nil {
		return // the bus is down, and the instance sees a closed connection
	}
	defer far.Close()
	if !r.track(near, far) {
		return
	}
	defer r.untrack(near, far)
	back := make(chan struct{})
	r.serving.Go(func() {
		defer close(back)
		r.pass(near, far)
	})
	r.pass(far, near)
	<-back
}

func (r *relay) track(conns ...net.Conn) bool {
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

func (r *relay) untrack(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.conns, c)
	}
}

// waitPartition returns once no partition is in force, or false if the relay is closed.
func (r *relay) waitPartition() bool {
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

// waitDelay waits for the delay. It returns false if the relay is closed.
func (r *relay) waitDelay() bool {
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
			if !r.waitDelay() || !r.waitPartition() {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				r.waitPartition() // a partition holds back the end of a connection too
			}
			return
		}
	}
}
