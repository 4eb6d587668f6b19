package engineio

import "sync"

// queue holds what waits to be written to one session, in order. Idle sessions have none.
type queue struct {
	items []*Prepared
}

const maxPooledQueue = 4096

var queues = sync.Pool{New: func() any { return &queue{items: make([]*Prepared, 0, 8)} }}

func newQueue() *queue {
	return queues.Get().(*queue)
}

func (q *queue) release() {
	if cap(q.items) > maxPooledQueue {
		return
	}
	clear(q.items)
	q.items = q.items[:0]
	queues.Put(q)
}

func (q *queue) messages() int {
	messages := 0
	for _, p := range q.items {
		messages += len(p.messages)
	}
	return messages
}

// size is what the items count for in MaxQueueBytes.
func (q *queue) size() int {
	size := 0
	for _, p := range q.items {
		size += p.size
	}
	return size
}

// output holds what a session has to write, and says which writer does. Session.mu guards it.
type output struct {
	queue   *queue // nil when empty
	size    int    // of the queue and of what is being written, in bytes as MaxQueueBytes counts them
	busy    bool   // on its writer's list, or being written
	blocked bool   // being written by a blocked writer
}

// replaceLastPong puts pong in the place of the last item, if that is a pong as well.
func (o *output) replaceLastPong(s *Server, pong *Prepared) bool {
	last := &o.queue.items[len(o.queue.items)-1]
	frames := (*last).frames
	if len(frames) == 0 || frames[0] != framePong {
		return false
	}
	o.size += pong.size - (*last).size
	s.hold(pong, 1)
	s.letGo(*last, 1)
	*last = pong
	return true
}

// Drained reports whether all that was sent has been written: to the connection, or into the answer to a poll.
func (s *Session) Drained() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.output.size == 0 && s.polling.writing == 0
}

// pushLocked appends p to the queue. holds is 0 if p counts in it already, otherwise 1.
func (s *Session) pushLocked(p *Prepared, holds int64) {
	if s.output.queue == nil {
		s.output.queue = newQueue()
	}
	s.output.queue.items = append(s.output.queue.items, p)
	s.output.size += p.size
	if holds > 0 {
		s.server.hold(p, holds)
	}
}

// dropQueueLocked forgets what waits. The writer owns what is being written.
func (s *Session) dropQueueLocked() {
	if s.output.queue != nil {
		s.output.size -= s.output.queue.size()
		s.server.releaseQueue(s.output.queue)
		s.output.queue = nil
	}
}

// wakeLocked has what was queued written by the writer, or taken by the waiting poll.
func (s *Session) wakeLocked() {
	if s.conn != nil {
		s.wakeWriterLocked()
	} else if s.polling.poll != nil {
		s.polling.poll.wake()
	}
}

// wakeWriterLocked puts the session on its writer's list, unless it is on it. It needs the lock
// held: otherwise the session could end first, and Shutdown not wait for the writer.
func (s *Session) wakeWriterLocked() {
	if !s.output.busy {
		s.output.busy = true
		s.writer().add(s)
	}
}

// takeQueue takes all that waits. When nothing does, q is nil, the session no longer busy, and the
// connection due for fx.
func (s *Session) takeQueue() (c *conn, q *queue, fx effects) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, s.output.queue = s.output.queue, nil
	if q == nil {
		fx = s.queueEmptyLocked()
	}
	return s.conn, q, fx
}

// wrote records that so much was written. When no more has come since, the session is no longer
// busy and the connection due for fx.
func (s *Session) wrote(size int) (more bool, fx effects) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output.size -= size
	if s.output.queue != nil {
		return true, 0
	}
	return false, s.queueEmptyLocked()
}

func (s *Session) queueEmptyLocked() effects {
	s.output.busy, s.output.blocked = false, false
	return s.transitionLocked(eventQueueEmpty, nil)
}

// writeFailed drops what waits, and cuts the connection: by this the reader learns of it. A client
// that took nothing until the deadline is a slow consumer.
func (s *Session) writeFailed(c *conn, err error) {
	e := eventWriteFailed
	if isTimeout(err) {
		e = eventWriteTimeout
	}
	s.mu.Lock()
	fx := s.transitionLocked(e, ErrSlowConsumer)
	s.dropQueueLocked()
	s.output = output{}
	s.mu.Unlock()
	if fx.has(effectEnd) {
		s.server.running.Go(s.notifyClosed)
	}
	c.perform(fx)
}
