package broker

import (
	"container/heap"
	"time"
)

// sourceTimer is the one timer of a source. It fires at the next expiry, schedule or end of a lock.
type sourceTimer struct {
	timer   *time.Timer
	timerAt int64 // when timer fires; 0 if it does not
}

// onTimer does everything that is due. It is the function of the timer.
func (s *Source) onTimer() {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timerAt = 0
	if s.closed != nil {
		return
	}
	now := s.broker.now()
	s.runDueLocked(now)
	s.finishChangeLocked(now)
}

func (s *Source) runDueLocked(now int64) {
	for len(s.deadlines) > 0 && s.deadlines[0].deadline() <= now {
		rec := heap.Pop(&s.deadlines).(*record)
		switch rec.state {
		case scheduled:
			s.activateLocked(rec, now)
		case ready:
			s.expireLocked(rec)
		}
		// The expiry of a locked or deferred record is checked when it becomes ready again.
	}
	for s.locks.first != nil && s.locks.first.lockedUntil <= now {
		s.loseLockLocked(s.locks.first, now)
	}
	for sess := s.sessions.firstEnding(now); sess != nil; sess = s.sessions.firstEnding(now) {
		s.loseSessionLocked(sess, now)
	}
}

// activateLocked makes a scheduled record ready. As in the service, it gets a new sequence number.
func (s *Source) activateLocked(rec *record, now int64) {
	s.unlinkLocked(rec)
	arrived := arrival{msg: rec.msg, shared: rec.shared, enqueuedSeq: rec.enqueuedSeq, due: rec.due}
	active := s.enqueueLocked(arrived, now)
	s.broker.changes.moved(s, rec.seq, s, active, false)
}

// setTimerLocked sets the timer to the earliest deadline, end of a lock or end of a stall.
func (s *Source) setTimerLocked(now int64) {
	next := s.faults.stalledUntil
	sooner := func(at int64) {
		if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	if len(s.deadlines) > 0 {
		sooner(s.deadlines[0].deadline())
	}
	if s.locks.first != nil {
		sooner(s.locks.first.lockedUntil)
	}
	sooner(s.sessions.nextEnd())
	if next == 0 || s.closed != nil || s.timerAt != 0 && s.timerAt <= next {
		return // a timer that fires too early sets itself again
	}
	s.timerAt = next
	wait := time.Duration(max(next-now, 0))
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.onTimer)
		return
	}
	s.timer.Reset(wait)
}
