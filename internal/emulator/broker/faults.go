package broker

import "time"

// sourceFaults holds the requested faults of a source, whose mutex guards them.
type sourceFaults struct {
	deliverTwice int
	stalledUntil int64
	copies       map[UUID]*record // locked second copies, by lock token
}

func (f *sourceFaults) stalled(now int64) bool {
	if f.stalledUntil == 0 {
		return false
	}
	if f.stalledUntil <= now {
		f.stalledUntil = 0
		return false
	}
	return true
}

// DeliverTwice delivers the next n messages of the source twice, with the same sequence number.
func (s *Source) DeliverTwice(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.deliverTwice = n
}

// Stall stops delivery for a while, regardless of the receivers' credit. 0 ends the stall.
func (s *Source) Stall(d time.Duration) {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	s.faults.stalledUntil = 0
	if d > 0 {
		s.faults.stalledUntil = addTime(now, d)
	}
	s.finishChangeLocked(now)
}

// LoseLocks ends every lock of the source at once, as if it had expired, and returns their number.
// Receivers of sessions are detached.
func (s *Source) LoseLocks() int {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	now, n := s.broker.now(), 0
	for s.locks.first != nil {
		s.loseLockLocked(s.locks.first, now)
		n++
	}
	for sess := s.sessions.firstLocked(); sess != nil; sess = s.sessions.firstLocked() {
		s.loseSessionLocked(sess, now)
		n++
	}
	s.finishChangeLocked(now)
	return n
}

// ServerBusy makes the namespace refuse sends and management operations for a while with [CodeServerBusy]. 0 ends it.
func (b *Broker) ServerBusy(d time.Duration) {
	b.meter.busyUntil.Store(addTime(b.now(), d))
}
