package emulator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/journal"
)

// faults holds the requested faults that concern all connections.
type faults struct {
	busyEnd          atomic.Int64 // Unix nanoseconds, as tokensEnd and stallEnd
	tokensEnd        atomic.Int64
	stallEnd         atomic.Int64
	midTransferDrops atomic.Int64 // how many transfers to break off

	latency atomic.Pointer[Latency] // nil for none
}

func until(d time.Duration) int64 { return time.Now().Add(d).UnixNano() }

func (f *faults) busy(now time.Time) bool           { return now.UnixNano() < f.busyEnd.Load() }
func (f *faults) refusingTokens(now time.Time) bool { return now.UnixNano() < f.tokensEnd.Load() }

// Latency is a distribution of delays: uniform between Min and Max, with occasional spikes.
type Latency struct {
	Min, Max time.Duration
	// SpikeChance is the fraction of writes, between 0 and 1, that wait for Spike instead.
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

// connFaults holds the faults of one connection. Its loop owns them.
type connFaults struct {
	server       *Server
	stalledUntil time.Time // until when senders have no credit; zero if they have credit
}

// delay returns how long the output that is ready now has to wait.
func (f *connFaults) delay() time.Duration {
	if l := f.server.faults.latency.Load(); l != nil {
		return l.sample()
	}
	return 0
}

// dropMidTransfer breaks off the transfer that was just appended at start, if the fault is active:
// it writes half of the frame and aborts the connection.
func (f *connFaults) dropMidTransfer(c *conn, start int) {
	cuts := &f.server.faults.midTransferDrops
	for n := cuts.Load(); n > 0; n = cuts.Load() {
		if !cuts.CompareAndSwap(n, n-1) {
			continue
		}
		c.out.buf = c.out.buf[:start+(len(c.out.buf)-start)/2]
		_ = c.out.flush(c.now, 0) // the connection ends in any case
		c.abort()
		c.finished = true
		return
	}
}

// onEveryConn runs f on the loop of every connection. It does not wait.
func (s *Server) onEveryConn(f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.do(func() { f(c) })
	}
}

// DropConnections breaks every AMQP connection without a close frame and returns their number.
func (s *Server) DropConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.abort()
	}
	return len(s.conns)
}

// DropMidTransfer breaks the connections that carry the next n messages to clients, each in the middle of the
// message's frame. It replaces the number of an earlier call.
func (s *Server) DropMidTransfer(n int) { s.faults.midTransferDrops.Store(int64(n)) }

// DetachLinks detaches every link to the entity at path, its subqueues and its subscriptions, with a condition such as
// "amqp:link:detach-forced". An empty path means all links except those to $cbs. It does not wait for the clients.
func (s *Server) DetachLinks(path, condition, description string) {
	why := amqp.Error{Condition: amqp.Symbol(condition), Description: description}
	s.onEveryConn(func(c *conn) {
		for _, session := range c.sessions {
			for _, e := range session.links {
				if l := e.base(); l.path != "" && covers(path, l.path) {
					l.detach(&why)
				}
			}
		}
	})
}

// GoSilent makes the connections that are open now stop reading and writing for a while, without closing them, as if a
// firewall had dropped them. 0 means for ever. New connections are served.
func (s *Server) GoSilent(d time.Duration) {
	s.onEveryConn(func(c *conn) {
		var over <-chan time.Time
		if d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			over = timer.C
		}
		select {
		case <-over:
		case <-c.aborted:
		}
		c.now = time.Now()
	})
}

// Delay delays everything that the server writes to AMQP connections and keeps its order. The zero Latency ends it.
func (s *Server) Delay(l Latency) {
	if l == (Latency{}) {
		s.faults.latency.Store(nil)
		return
	}
	s.faults.latency.Store(&l)
}

// RefuseTokens makes $cbs answer put-token with status 401 for a while. 0 ends it.
func (s *Server) RefuseTokens(d time.Duration) { s.faults.tokensEnd.Store(until(d)) }

// ServerBusy makes the namespace refuse sends, new links, requests to $management and the management API for a while,
// with the error that the service gives when it throttles. 0 ends it.
func (s *Server) ServerBusy(d time.Duration) {
	s.faults.busyEnd.Store(until(d))
	s.Broker().ServerBusy(d)
}

// StallCredit takes the credit of every sender away for a while, so that sends block. 0 ends it.
func (s *Server) StallCredit(d time.Duration) {
	s.faults.stallEnd.Store(until(d))
	s.onEveryConn(func(c *conn) {
		c.now, c.faults.stalledUntil = time.Now(), time.Time{}
		c.grantAllCredit()
	})
}

// grantAllCredit renews the credit of all senders of a connection.
func (c *conn) grantAllCredit() {
	for _, s := range c.sessions {
		for _, e := range s.links {
			if l, ok := e.(*incomingLink); ok && l.sender != nil && !l.closed {
				l.grantCredit()
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

// DeliverTwice delivers the next n messages of the queue or subscription at path twice.
func (s *Server) DeliverTwice(path string, n int) error {
	source, err := s.Broker().Source(path)
	if err != nil {
		return err
	}
	source.DeliverTwice(n)
	return nil
}

// LoseLocks ends all locks on messages and sessions of the queue or subscription at path and returns their number.
func (s *Server) LoseLocks(path string) (int, error) {
	source, err := s.Broker().Source(path)
	if err != nil {
		return 0, err
	}
	return source.LoseLocks(), nil
}

// Delete deletes the queue, topic or subscription at path. Its links are detached.
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

// SetStatus changes the status of the queue, topic or subscription at path. Its links are detached.
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

// Restart breaks all connections and closes the listeners for a moment, then serves the same namespace with all its
// messages on the same ports again.
func (s *Server) Restart() error { return s.restart(func() error { return nil }) }

// RestartEmpty is Restart with a new namespace, filled by Options.Populate: all messages and all
// other entities are lost.
func (s *Server) RestartEmpty() error {
	return s.restart(func() error {
		s.Broker().Close()
		if s.options.Data != "" {
			if err := journal.Remove(s.options.Data); err != nil {
				return err
			}
		}
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
	s.closeListenersLocked(func(c *conn) { c.abort() })
	web := s.httpServer
	s.mu.Unlock()
	_ = web.Close()
	if err := between(); err != nil {
		return err
	}
	s.mu.Lock()
	s.httpServer = s.newHTTPServer()
	s.mu.Unlock()
	return s.listen()
}
