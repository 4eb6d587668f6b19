package socketio

import (
	"sync"
	"time"
)

// defaultAckTimeout stands for a time-out of 0.
const defaultAckTimeout = 10 * time.Second

// ackWaiter waits for a socket's acknowledgement. Of the two calls there is exactly one for every socket.
type ackWaiter interface {
	acked(*Socket, *Args)
	failed(*Socket, error)
}

// EmitWithAck sends an event that the client shall acknowledge within timeout, 10 s if 0. done is called exactly once:
// with the acknowledgement's arguments, valid until it returns, like an event's handler; or with ErrAckTimeout or
// ErrDisconnected, on some other goroutine. Where EmitWithAck itself returns an error done is not called: ErrDisconnected,
// ErrTooManyAcks, or that the arguments cannot be encoded. Such events are not recovered.
func (s *Socket) EmitWithAck(timeout time.Duration, done func(*Args, error), event string, args ...any) error {
	server := s.nsp.server
	b := server.borrowBody()
	defer server.returnBody(b)
	if err := b.encodeEvent(event, args); err != nil {
		return err
	}
	id := s.nsp.nextAck.Add(1) - 1
	w := &singleAck{done: done}
	if err := s.await(id, w); err != nil {
		return err
	}
	w.expireAfter(timeout, s, id)
	if err := s.send(b, packetEvent, id, true); err != nil {
		if s.takeAck(id) == nil {
			return nil // done has been told already
		}
		w.stop(server)
		return err
	}
	return nil
}

// singleAck waits for one socket.
type singleAck struct {
	done func(*Args, error)

	mu       sync.Mutex
	deadline *deadline // guarded by mu
	stopped  bool      // guarded by mu
}

func (w *singleAck) expireAfter(timeout time.Duration, s *Socket, id uint64) {
	if timeout <= 0 {
		timeout = defaultAckTimeout
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.deadline = s.nsp.server.deadlines.add(timeout, func() {
			if s.takeAck(id) != nil {
				w.failed(s, ErrAckTimeout)
			}
		})
	}
}

func (w *singleAck) stop(server *Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.deadline != nil {
		server.deadlines.remove(w.deadline)
	}
}

func (w *singleAck) acked(s *Socket, args *Args) {
	w.stop(s.nsp.server)
	defer s.client.recovered()
	w.done(args, nil)
}

func (w *singleAck) failed(s *Socket, err error) {
	w.stop(s.nsp.server)
	defer s.client.recovered()
	w.done(nil, err)
}

// await registers who waits for the socket's acknowledgement id.
func (s *Socket) await(id uint64, w ackWaiter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.present.Load(): // and once it is not, failAcks comes
		return ErrDisconnected
	case len(s.acks) >= s.nsp.server.options.MaxPendingAcks:
		return ErrTooManyAcks
	case s.acks == nil:
		s.acks = make(map[uint64]ackWaiter)
	}
	s.acks[id] = w
	return nil
}

// takeAck returns who waits for acknowledgement id, who from then on waits no longer, or nil.
func (s *Socket) takeAck(id uint64) ackWaiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.acks[id]
	delete(s.acks, id)
	if len(s.acks) == 0 {
		s.acks = nil
	}
	return w
}

// acked is the client's acknowledgement. One that nobody waits for is ignored: it may only be late.
func (s *Socket) acked(id uint64, args *Args) {
	if w := s.takeAck(id); w != nil {
		s.nsp.server.counters.acks.Add(1)
		w.acked(s, args)
	}
}

// failAcks tells all who wait for the socket that it is gone.
func (s *Socket) failAcks() {
	s.mu.Lock()
	acks := s.acks
	s.acks = nil
	s.mu.Unlock()
	for _, w := range acks {
		w.failed(s, ErrDisconnected)
	}
}

// Answers are the acknowledgements of a broadcast.
type Answers struct {
	Answered []Answer
	Missing  []*Socket // those who did not answer in time, or are gone
}

// Answer is the acknowledgement of one socket.
type Answer struct {
	Socket *Socket
	Args   Args // its own copy
}

// EmitWithAck sends an event that every chosen client shall acknowledge within timeout, 10 s if 0. done is called once,
// when all have or the time is up, on some goroutine. An error means that the arguments cannot be encoded; done is then
// not called. Such events are not recovered.
func (b Broadcast) EmitWithAck(timeout time.Duration, done func(Answers), event string, args ...any) error {
	n := b.nsp
	if timeout <= 0 {
		timeout = defaultAckTimeout
	}
	p, err := n.Prepare(event, args...)
	if err != nil {
		return err
	}
	// One id does for all: clients keep theirs apart by connection.
	id := n.nextAck.Add(1) - 1
	p = p.withAck(id)
	all := &collection{id: id, waiting: make(map[*Socket]struct{}), done: done}
	n.mu.RLock()
	b.visitLocked(func(s *Socket) {
		all.expect(s)
		if s.await(id, all) != nil {
			all.miss(s)
			return
		}
		// An error means that the session is over: its sockets end, and tell who waits for them.
		if s.client.session.SendPrepared(p.form(s.client.bare())) == nil {
			n.server.counters.deliveries.Add(1)
		}
	})
	n.mu.RUnlock()
	all.complete(n.server, timeout)
	return nil
}

// collection waits for several sockets.
type collection struct {
	id   uint64
	done func(Answers)

	mu sync.Mutex
	// mu guards
	waiting  map[*Socket]struct{}
	answers  Answers
	sealed   bool // waiting has all that were sent the event
	finished bool
	deadline *deadline
}

func (c *collection) expect(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[s] = struct{}{}
}

// miss gives a socket up; done is called by complete.
func (c *collection) miss(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missLocked(s)
}

func (c *collection) missLocked(s *Socket) {
	delete(c.waiting, s)
	c.answers.Missing = append(c.answers.Missing, s)
}

func (c *collection) acked(s *Socket, args *Args) {
	c.mu.Lock()
	delete(c.waiting, s)
	c.answers.Answered = append(c.answers.Answered, Answer{s, args.Clone()})
	c.mu.Unlock()
	c.finish(s.nsp.server)
}

func (c *collection) failed(s *Socket, _ error) {
	c.miss(s)
	c.finish(s.nsp.server)
}

// complete is called when all have been sent the event.
func (c *collection) complete(server *Server, timeout time.Duration) {
	c.mu.Lock()
	c.sealed = true
	if len(c.waiting) > 0 {
		c.deadline = server.deadlines.add(timeout, func() { c.expire(server) })
	}
	c.mu.Unlock()
	c.finish(server)
}

// expire gives up those who have not answered.
func (c *collection) expire(server *Server) {
	c.mu.Lock()
	late := make([]*Socket, 0, len(c.waiting))
	for s := range c.waiting {
		late = append(late, s)
	}
	c.mu.Unlock()
	for _, s := range late {
		if s.takeAck(c.id) != nil {
			c.miss(s)
		}
	}
	c.finish(server)
}

// finish calls done if nobody is waited for any more. Those whose answer is just being taken in are waited for even when
// time is up: they finish.
func (c *collection) finish(server *Server) {
	c.mu.Lock()
	if !c.sealed || c.finished || len(c.waiting) > 0 {
		c.mu.Unlock()
		return
	}
	c.finished = true
	answers, deadline := c.answers, c.deadline
	c.mu.Unlock()
	if deadline != nil {
		server.deadlines.remove(deadline)
	}
	defer server.recovered()
	c.done(answers)
}
