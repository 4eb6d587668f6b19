package broker

import (
	"container/heap"
	"fmt"
	"sync"
	"time"
)

// settings are the values of an entity's description that its source uses. Subqueues have settings of their own.
type settings struct {
	lockDuration       time.Duration
	ttl                time.Duration // Unlimited means none
	maxDeliveryCount   int           // 0 means no limit, as in a subqueue
	requiresSession    bool
	deadLetterOnExpiry bool
	status             Status
	forwardTo          string
}

// Source is a queue, a subscription, or a dead-letter queue of either: what receivers attach to. Its methods may be
// called from any goroutine. They return an [Error] of code [CodeNotFound] once the entity is deleted.
type Source struct {
	// immutable
	broker *Broker
	id     uint64 // in the journal: sourceID
	path   string
	parent string // path of the entity that owns this subqueue; empty otherwise
	subqueues
	size     *sizeCounter
	activity *activity

	mu sync.Mutex
	// mu guards
	settings settings
	closed   *Error // the error for later calls; nil while the entity exists
	contents
	receiverSet
	sessions sessions
	forwardQueue
	sourceTimer
	faults sourceFaults
}

// subqueues are the dead-letter queues of a source. Each is nil in the subqueues that have none of their own.
type subqueues struct {
	deadLetters         *Source // nil in a subqueue
	transferDeadLetters *Source // nil in the transfer dead-letter queue
}

// Path returns the address with the letter case of its creation, like "topic/Subscriptions/sub/$DeadLetterQueue".
func (s *Source) Path() string { return s.path }

// RequiresSession reports whether receivers must request a session.
func (s *Source) RequiresSession() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.requiresSession
}

// checkReceiveLocked refuses to receive or to settle if the source is deleted or its status forbids it.
func (s *Source) checkReceiveLocked() error {
	switch {
	case s.closed != nil:
		return s.closed
	case !s.settings.status.admitsReceive():
		return errDisabled(s.path, s.settings.status)
	}
	if err := s.broker.changes.err(); err != nil {
		return err
	}
	return nil
}

// checkBrowseLocked refuses to peek and to list sessions if the source is deleted or disabled. A status that forbids
// only receiving does not forbid it.
func (s *Source) checkBrowseLocked() error {
	switch {
	case s.closed != nil:
		return s.closed
	case s.settings.status == StatusDisabled:
		return errDisabled(s.path, s.settings.status)
	}
	return nil
}

// arrival is a message on its way into a source.
type arrival struct {
	msg              *Message
	shared           *refCount
	enqueuedSeq      int64
	ttl              time.Duration // an upper limit in addition to the source's; 0 means none
	seq              int64         // reserved by a transaction; 0 means the next
	due              int64         // when a message that was scheduled became due; 0: it was not scheduled
	hops             uint8
	duplicate        bool // gets a sequence number, and is dropped
	deadLetterSource string
}

// enqueueLocked adds a message with the next sequence number. The caller has counted its bytes already.
func (s *Source) enqueueLocked(a arrival, now int64) *record {
	rec := &record{
		msg: a.msg, shared: a.shared, seq: s.nextSeqLocked(a), enqueuedSeq: a.enqueuedSeq, hops: a.hops,
		deadLetterSource: a.deadLetterSource, heapIndex: -1,
	}
	rec.enqueued, rec.due = now, a.due
	rec.ttl = minTTL(minTTL(a.msg.TTL, a.ttl), s.settings.ttl)
	if rec.ttl != 0 {
		rec.expires = addTime(now, rec.ttl)
	}
	s.insertLocked(rec)
	return rec
}

// nextSeqLocked returns the sequence number of an arrival.
func (s *Source) nextSeqLocked(a arrival) int64 {
	if a.seq != 0 {
		return a.seq
	}
	s.lastSeq++
	return s.lastSeq
}

// insertLocked adds a record, which has a sequence number, to the log and to the outbox or a backlog.
func (s *Source) insertLocked(rec *record) {
	s.log.add(rec)
	s.size.records.Add(1)
	s.bytes += int64(rec.msg.Size)
	if s.settings.requiresSession {
		rec.session = s.sessions.named(rec.msg.SessionID)
		rec.session.records++
	}
	if s.settings.forwardTo != "" {
		rec.state = transfer
		s.counts[transfer]++
		s.outbox = append(s.outbox, rec)
		s.startForwardingLocked()
		return
	}
	rec.state = ready
	s.counts[ready]++
	if rec.expires != 0 {
		heap.Push(&s.deadlines, rec)
	}
	s.backlogOfLocked(rec).push(rec)
	s.offerSessionLocked(rec)
}

func (s *Source) backlogOfLocked(rec *record) *backlog {
	if rec.session != nil {
		return &rec.session.backlog
	}
	return &s.backlog
}

// offerSessionLocked notes that rec's session, if it has one, has a message ready.
func (s *Source) offerSessionLocked(rec *record) {
	if rec.session != nil {
		s.sessions.offer(rec.session)
	}
}

func (s *Source) moveLocked(rec *record, to recordState) {
	if !rec.faultCopy {
		s.counts[rec.state]--
		if to != removed {
			s.counts[to]++
		}
	}
	rec.state = to
}

// removeLocked removes a record and subtracts its bytes from the size of the entity.
func (s *Source) removeLocked(rec *record) {
	s.broker.changes.removed(s, rec)
	s.unlinkLocked(rec)
	if !rec.faultCopy {
		s.size.release(rec)
	}
}

// unlinkLocked removes a record from every structure of the source. Its bytes still count.
func (s *Source) unlinkLocked(rec *record) {
	s.unlockLocked(rec)
	s.deadlines.remove(rec)
	s.moveLocked(rec, removed)
	if rec.faultCopy {
		return
	}
	s.log.removed()
	s.size.records.Add(-1)
	s.bytes -= int64(rec.msg.Size)
	if rec.session != nil {
		rec.session.records--
		s.sessions.forget(rec.session)
	}
}

// unlockLocked ends rec's lock, if it has one. The caller sets the new state.
func (s *Source) unlockLocked(rec *record) {
	if rec.state != locked {
		return
	}
	if rec.lockedUntil != 0 && !rec.enlisted {
		s.lockListOfLocked(rec).remove(rec)
	}
	rec.enlisted = false
	if rec.faultCopy {
		delete(s.faults.copies, rec.token)
	}
	rec.token, rec.lockedUntil, rec.holder = UUID{}, 0, nil
}

func (s *Source) lockListOfLocked(rec *record) *lockList {
	if rec.session != nil {
		return &rec.session.locks
	}
	return &s.locks
}

// requeueLocked unlocks a record and makes it available again, or deferred if it was deferred
// before. If failed is set it increments the delivery count, and moves the record to the dead
// letters at the limit.
func (s *Source) requeueLocked(rec *record, failed bool, now int64) {
	wasDeferred := rec.wasDeferred
	s.unlockLocked(rec)
	if failed && s.settings.maxDeliveryCount > 0 {
		rec.count++
		if int(rec.count) >= s.settings.maxDeliveryCount && !rec.faultCopy {
			s.deadLetterLocked(rec, "MaxDeliveryCountExceeded",
				fmt.Sprintf("Message could not be consumed after %d delivery attempts.",
					s.settings.maxDeliveryCount), nil)
			return
		}
		s.broker.changes.altered(s, rec, false, false)
	}
	switch {
	case wasDeferred:
		s.moveLocked(rec, deferred)
	case rec.expires != 0 && rec.expires <= now:
		s.moveLocked(rec, ready)
		s.expireLocked(rec)
	default:
		s.moveLocked(rec, ready)
		s.backlogOfLocked(rec).requeue(rec)
		s.offerSessionLocked(rec)
	}
}

func (s *Source) expireLocked(rec *record) {
	if s.settings.deadLetterOnExpiry && s.deadLetters != nil && !rec.faultCopy {
		s.deadLetterLocked(rec, "TTLExpiredException", "The message expired and was dead lettered.", nil)
		return
	}
	s.removeLocked(rec)
}

// deadLetterLocked moves a record to the dead-letter queue. It keeps its sequence number and enqueued time.
func (s *Source) deadLetterLocked(rec *record, reason, description string, properties map[string]any) {
	s.moveToSubqueueLocked(s.deadLetters, rec, reason, description, properties)
}

func (s *Source) moveToSubqueueLocked(sub *Source, rec *record, reason, description string, properties map[string]any) {
	changes := make(map[string]any, len(properties)+2)
	for k, v := range properties {
		changes[k] = v
	}
	if reason != "" {
		changes["DeadLetterReason"] = reason
	}
	if description != "" {
		changes["DeadLetterErrorDescription"] = description
	}
	s.unlinkLocked(rec)
	if rec.faultCopy {
		return
	}
	moved := &record{
		msg: rec.msg.withProperties(changes), shared: rec.shared, seq: rec.seq, enqueuedSeq: rec.enqueuedSeq,
		count: rec.count, hops: rec.hops, deadLetterSource: rec.deadLetterSource, heapIndex: -1,
	}
	moved.enqueued, moved.ttl = rec.enqueued, rec.ttl
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.lastSeq = max(sub.lastSeq, moved.seq)
	sub.insertLocked(moved)
	s.broker.changes.moved(s, rec.seq, sub, moved, len(changes) > 0)
	sub.finishChangeLocked(s.broker.now())
}

// finishChangeLocked ends every change of a source: it delivers what can be delivered and sets the timer.
func (s *Source) finishChangeLocked(now int64) {
	s.dispatchLocked(now)
	s.setTimerLocked(now)
}

// close detaches the receivers because of why, and drops all messages.
func (s *Source) close(why *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	s.detachReceiversLocked(why)
	s.closed = errNotFound(s.path)
	if s.timer != nil {
		s.timer.Stop()
	}
	for _, rec := range s.log.items {
		if rec.state != removed {
			s.size.release(rec)
			s.size.records.Add(-1)
		}
	}
	for _, sess := range s.sessions.byID {
		s.size.used.Add(-sess.stateSize())
	}
	s.log, s.backlog, s.deadlines, s.locks, s.outbox = sequenceLog{}, backlog{}, nil, lockList{}, nil
	s.sessions, s.counts, s.bytes = sessions{}, [removed]int64{}, 0
}

// change applies new settings. As in the service, the receivers are detached and every lock ends.
func (s *Source) change(to settings, why *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	now := s.broker.now()
	s.detachReceiversLocked(why)
	for s.locks.first != nil {
		s.requeueLocked(s.locks.first, false, now)
	}
	was := s.settings
	s.settings = to
	if to.forwardTo != was.forwardTo {
		s.rerouteLocked(now)
	}
	s.finishChangeLocked(now)
}

func (s *Source) detachReceiversLocked(why *Error) {
	now := s.broker.now()
	for r := range s.receivers {
		s.closeReceiverLocked(r, why, false, now)
		r.options.Wake()
	}
}
