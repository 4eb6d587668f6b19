package engineio

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// queueBudget bounds what all queues of a server hold together. A message that is in several queues counts once.
type queueBudget struct {
	limit   int64        // bytes; 0: none
	held    atomic.Int64 // bytes of the messages that some session has queued or is writing
	overrun atomic.Int64 // messages that went over the limit since closeSlowest began; 0: it isn't running
}

// hold counts a message in n more queues.
func (s *Server) hold(p *Prepared, n int64) {
	if p.queues.Add(n) == n && s.budget.held.Add(int64(p.size)) > s.budget.limit && s.budget.limit > 0 &&
		s.budget.overrun.Add(1) == 1 {
		s.running.Go(s.closeSlowest)
	}
}

// letGo ends hold for n queues, when the message was written or dropped.
func (s *Server) letGo(p *Prepared, n int64) {
	if p.queues.Add(-n) == 0 {
		s.budget.held.Add(-int64(p.size))
	}
}

// releaseQueue lets go of a queue's messages and frees it. It returns how many messages they were, and what they
// counted for in MaxQueueBytes.
func (s *Server) releaseQueue(q *queue) (messages, size int) {
	for _, p := range q.items {
		messages += len(p.messages)
		size += p.size
		s.letGo(p, 1)
	}
	q.release()
	return messages, size
}

// closeSlowest closes sessions as slow consumers until the queues fit the budget. It begins again when more messages
// went over the limit meanwhile, which it may not have counted.
func (s *Server) closeSlowest() {
	for {
		overrun := s.budget.overrun.Load()
		s.closeSlowestOnce()
		if s.budget.overrun.CompareAndSwap(overrun, 0) {
			return
		}
	}
}

// closeSlowestOnce closes sessions as slow consumers until an eighth of the budget is free: first those that hold most.
// Messages that many have to receive count little for each.
func (s *Server) closeSlowestOnce() {
	type debtor struct {
		session *Session
		bytes   int
	}
	var debtors []debtor
	var owed int64
	for _, session := range s.all() {
		if bytes := session.holds(); bytes > 0 {
			debtors = append(debtors, debtor{session, bytes})
			owed += int64(bytes)
		}
	}
	slices.SortFunc(debtors, func(a, b debtor) int { return cmp.Compare(b.bytes, a.bytes) })
	// Messages that were queued after their session was asked count in held alone, as do those of sessions that are
	// being closed: nobody else is to pay for them. Messages that are being written to many count in owed for each.
	excess := min(s.budget.held.Load(), owed) - s.budget.limit/8*7
	for _, d := range debtors {
		if excess <= 0 {
			return
		}
		excess -= int64(d.bytes)
		d.session.cutSlow()
	}
}

// holds returns how much of the budget would be free without the session.
func (s *Session) holds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes := s.output.size + int(s.polling.writing)
	if s.output.queue != nil {
		for _, p := range s.output.queue.items {
			bytes -= p.size - int(int64(p.size)/max(p.queues.Load(), 1))
		}
	}
	return bytes
}

// cutSlow closes the session as a slow consumer. It does not wait until the client has taken what is being written.
func (s *Session) cutSlow() {
	s.Close(ErrSlowConsumer)
	s.mu.Lock()
	c, blocked, abortPoll := s.conn, s.output.blocked, s.polling.abort
	s.mu.Unlock()
	if c != nil && blocked {
		c.abort()
	}
	if abortPoll != nil {
		abortPoll()
	}
}
