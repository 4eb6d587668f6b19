package emulator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// faults are the ways in which a server misbehaves on request, as far as they concern all connections.
type faults struct {
	busyEnd   atomic.Int64 // Unix nanoseconds until when
	tokensEnd atomic.Int64
	stallEnd  atomic.Int64
	cuts      atomic.Int64 // how many transfers to cut

	latency atomic.Pointer[Latency] // nil for none
}

func until(d time.Duration) int64 { return time.Now().Add(d).UnixNano() }

func (f *faults) busy(now time.Time) bool           { return now.UnixNano() < f.busyEnd.Load() }
func (f *faults) refusingTokens(now time.Time) bool { return now.UnixNano() < f.tokensEnd.Load() }

// Latency is a distribution of delays: evenly between Min and Max, and now and then a spike.
type Latency struct {
	Min, Max time.Duration
	// SpikeChance is the part of all writes, between 0 and 1, that wait for Spike instead.
	SpikeChance float64
	Spike       time.Duration
}

func (l Latency) sample() time.Duration {
	switch {
	case l.SpikeChance > 0 && rand.Float64() < l.SpikeChance:
		return l.Spike
	case l.Max > l.Min:
		return l.Min + rand.N(l.Max-l.Min)
	}
	return l.Min
}

// connFaults are those of one connection. They belong to its loop.
type connFaults struct {
	server       *Server
	stalledUntil time.Time // senders have no credit; zero if they have
}

// delay is how long the output that is ready now has to wait.
func (f *connFaults) delay() time.Duration {
	if l := f.server.faults.latency.Load(); l != nil {
		return l.sample()
	}
	return 0
}

// messageWritten cuts the transfer that was just appended at start, if that was asked for: half of the frame leaves, and
// then the connection is gone.
func (f *connFaults) messageWritten(c *conn, start int) {
	cuts := &f.server.faults.cuts
	for n := cuts.Load(); n > 0; n = cuts.Load() {
		if !cuts.CompareAndSwap(n, n-1) {
			continue
		}
		c.out.buf = c.out.buf[:start+(len(c.out.buf)-start)/2]
		_ = c.out.flush(c.now, 0) // the connection ends in any case
		c.cut()
		c.finished = true
		return
	}
}

// each runs f on the loop of every connection. It does not wait for it.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.do(func() { f(c) })
	}
}

// DropConnections breaks every AMQP connection without a word, and returns how many there were.
func (s *Server) DropConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.cut()
	}
	return len(s.conns)
}

// DropMidTransfer breaks the connections that carry the next n messages to clients, each in the middle of the
// message's frame.
func (s *Server) DropMidTransfer(n int) { s.faults.cuts.Store(int64(n)) }

// DetachLinks detaches every link to the entity at path, and below it, with a condition such as
// "amqp:link:detach-forced"; an empty path means all links but those to $cbs.
func (s *Server) DetachLinks(path, condition, description string) {
	why := amqp.Error{Condition: amqp.Symbol(condition), Description: description}
	s.each(func(c *conn) {
		for _, session := range c.sessions {
			for _, e := range session.links {
				if l := e.base(); l.path != "" && covers(path, l.path) {
					l.detach(&why)
				}
			}
		}
	})
}

// GoSilent makes the connections that are open now stop answering, without closing them: as when a firewall forgets
// them. 0 is for ever. New connections are served.
func (s *Server) GoSilent(d time.Duration) {
	s.each(func(c *conn) {
		var over <-chan time.Time
		if d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-c.dead:
		}
		c.now = time.Now()
	})
}

// Delay makes everything the server writes to AMQP connections wait, in order. The zero Latency ends it.
func (s *Server) Delay(l Latency) {
	if l == (Latency{}) {
		s.faults.latency.Store(nil)
		return
	}
	s.faults.latency.Store(&l)
}

// RefuseTokens makes $cbs answer 401 for a while. 0 ends it.
func (s *Server) RefuseTokens(d time.Duration) { s.faults.tokensEnd.Store(until(d)) }

// ServerBusy makes the namespace refuse sends, new links, management requests and requests to $management for a while,
// as when it is throttled. 0 ends it.
func (s *Server) ServerBusy(d time.Duration) {
	s.faults.busyEnd.Store(until(d))
	s.Broker().ServerBusy(d)
}

// StallCredit leaves every sender without credit for a while, so that sends block. 0 ends it.
func (s *Server) StallCredit(d time.Duration) {
	s.faults.stallEnd.Store(until(d))
	s.each(func(c *conn) {
		c.now, c.faults.stalledUntil = time.Now(), time.Time{}
		c.regrant()
	})
}

// regrant tells all senders of a connection their credit anew.
func (c *conn) regrant() {
	for _, s := range c.sessions {
		for _, e := range s.links {
			if l, ok := e.(*incomingLink); ok && l.sender != nil && !l.over {
				l.grant()
			}
		}
	}
}

// Stall stops the delivery of messages from the queue or subscription at path for a while, whatever credit its
// receivers give. 0 ends it.
func (s *Server) Stall(path string, d time.Duration) error {
	source, err := s.Broker().Source(path)
	if err != nil {
		return err
	}
	source.Stall(d)
	return nil
}

// DeliverTwice makes the next n messages of the queue or subscription at path come twice.
func (s *Server) DeliverTwice(path string, n int) error {
	source, err := s.Broker().Source(path)
	if err != nil {
		return err
	}
	source.DeliverTwice(n)
	return nil
}

// LoseLocks ends all locks on messages and sessions of the queue or subscription at path, and returns how many.
func (s *Server) LoseLocks(path string) (int, error) {
	source, err := s.Broker().Source(path)
	if err != nil {
		return 0, err
	}
	return source.LoseLocks(), nil
}

// Delete deletes the queue, topic or subscription at path, under its senders and receivers.
func (s *Server) Delete(path string) error {
	b := s.Broker()
	if topic, subscription, ok := cutSubscription(path); ok {
		return b.DeleteSubscription(topic, subscription)
	}
	err := b.DeleteQueue(path)
	if broker.CodeOf(err) == broker.CodeNotFound && err != nil {
		return b.DeleteTopic(path)
	}
	return err
}

// SetStatus disables or enables the queue, topic or subscription at path, which detaches its links.
func (s *Server) SetStatus(path string, status broker.Status) error {
	b := s.Broker()
	if topic, name, ok := cutSubscription(path); ok {
		info, err := b.Subscription(topic, name)
		if err != nil {
			return err
		}
		info.Status = status
		return b.UpdateSubscription(info.SubscriptionDescription)
	}
	if info, err := b.Queue(path); err == nil {
		info.Status = status
		return b.UpdateQueue(info.QueueDescription)
	}
	info, err := b.Topic(path)
	if err != nil {
		return err
	}
	info.Status = status
	return b.UpdateTopic(info.TopicDescription)
}

func cutSubscription(path string) (topic, subscription string, ok bool) {
	i := strings.LastIndex(strings.ToLower(path), "/subscriptions/")
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+len("/subscriptions/"):], true
}

// Restart breaks all connections and closes the doors for a moment, then serves the same namespace with all its
// messages again, on the same ports.
func (s *Server) Restart() error { return s.restart(func() error { return nil }) }

// RestartEmpty is Restart with a fresh namespace: entities made since the start and all messages are gone.
func (s *Server) RestartEmpty() error {
	return s.restart(func() error {
		s.Broker().Close()
		return s.populate()
	})
}

func (s *Server) restart(between func() error) error {
	s.restarts.Lock()
	defer s.restarts.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("restart: the emulator is closed")
	}
	s.closeDoorsLocked(func(c *conn) { c.cut() })
	web := s.web
	s.mu.Unlock()
	_ = web.Close()
	if err := between(); err != nil {
		return err
	}
	s.mu.Lock()
	s.web = s.newWeb()
	s.mu.Unlock()
	return s.listen()
}
