package broker

import (
	"container/heap"
	"fmt"
	"sync"
	"time"
)

// settings are what a source needs to know of its entity's description. A subqueue has its entity's, changed.
type settings struct {
	lockDuration       time.Duration
	ttl                time.Duration // Unlimited means none
	maxDeliveryCount   int           // 0 means no limit, as in a subqueue
	requiresSession    bool
	deadLetterOnExpiry bool
	status             Status
	forwardTo          string
}

// Source is what receivers attach to: a queue, a subscription, or one of their dead-letter queues. Its methods may be
// called from any goroutine. They answer with an [Error] of code [CodeNotFound] once the entity is deleted.
type Source struct {
	// immutable
	broker              *Broker
	path                string
	parent              string  // path of the entity whose dead letters these are; empty for a main queue
	deadLetters         *Source // nil in a subqueue
	transferDeadLetters *Source // nil in the transfer dead-letter queue
	account             *account
	life                *life

	mu sync.Mutex
	// mu guards
	settings  settings
	closed    *Error // why there is no more service; nil while the entity exists
	lastSeq   int64
	log       seqLog
	backlog   backlog // unused where sessions are required
	deadlines deadlines
	locks     lockList // unused where sessions are required
	counts    [gone]int64
	bytes     int64
	receivers map[*Receiver]struct{}
	waiters   waiterList // with credit left, in order of arrival
	sessions  sessions
	copies    map[UUID]*record // locked second copies, made by a fault
	faults    sourceFaults

	outbox     []*record // to be forwarded, oldest first
	forwarding bool      // a goroutine empties outbox

	timer *time.Timer
	armed int64 // when timer fires; 0 if it does not
}

// Path returns the source's address as it was created, like "topic/Subscriptions/sub/$DeadLetterQueue".
func (s *Source) Path() string { return s.path }

// RequiresSession reports whether receivers must name a session.
func (s *Source) RequiresSession() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings.requiresSession
}

// arrival is what a record takes along into a source.
type arrival struct {
	msg              *Message
	share            *share
	enqueuedSeq      int64
	ttl              time.Duration // a ceiling beside the source's; 0 means none
	hops             uint8
	deadLetterSource string
}

// enqueueLocked adds a message as the next of the source. The bytes are on the account already.
func (s *Source) enqueueLocked(a arrival, now int64) *record {
	s.lastSeq++
	rec := &record{
		msg: a.msg, share: a.share, seq: s.lastSeq, enqueuedSeq: a.enqueuedSeq, enqueued: now, hops: a.hops,
		deadLetterSource: a.deadLetterSource, heapIndex: -1,
	}
	rec.ttl = minTTL(minTTL(a.msg.TTL, a.ttl), s.settings.ttl)
	if rec.ttl != 0 {
		rec.expires = addTime(now, rec.ttl)
	}
	s.insertLocked(rec)
	return rec
}

// insertLocked puts a record with a number where it belongs: the outbox, a session's backlog or the common one.
func (s *Source) insertLocked(rec *record) {
	s.log.add(rec)
	s.account.records.Add(1)
	s.bytes += int64(rec.msg.Size)
	if s.settings.requiresSession {
		rec.session = s.sessions.named(rec.msg.SessionID)
		rec.session.records++
	}
	if s.settings.forwardTo != "" {
		rec.place = transfer
		s.counts[transfer]++
		s.outbox = append(s.outbox, rec)
		s.startForwardingLocked()
		return
	}
	rec.place = ready
	s.counts[ready]++
	if rec.expires != 0 {
		heap.Push(&s.deadlines, rec)
	}
	s.backlogOf(rec).push(rec)
	s.offeredLocked(rec)
}

func (s *Source) backlogOf(rec *record) *backlog {
	if rec.session != nil {
		return &rec.session.backlog
	}
	return &s.backlog
}

// offeredLocked notes that rec's session, if any, has something to give.
func (s *Source) offeredLocked(rec *record) {
	if rec.session != nil {
		s.sessions.offer(rec.session)
	}
}

func (s *Source) moveLocked(rec *record, to place) {
	if !rec.unlisted {
		s.counts[rec.place]--
		if to != gone {
			s.counts[to]++
		}
	}
	rec.place = to
}

// removeLocked takes a record out for good and gives its bytes back.
func (s *Source) removeLocked(rec *record) {
	s.detachLocked(rec)
	if !rec.unlisted {
		s.account.release(rec)
	}
}

// detachLocked takes a record out of every structure of the source but leaves its bytes on the account.
func (s *Source) detachLocked(rec *record) {
	s.unlockLocked(rec)
	s.deadlines.remove(rec)
	s.moveLocked(rec, gone)
	if rec.unlisted {
		return
	}
	s.log.removed()
	s.account.records.Add(-1)
	s.bytes -= int64(rec.msg.Size)
	if rec.session != nil {
		rec.session.records--
		s.sessions.forget(rec.session)
	}
}

// unlockLocked ends rec's lock, if it has one; what becomes of the record is for the caller to say.
func (s *Source) unlockLocked(rec *record) {
	if rec.place != locked {
		return
	}
	if rec.lockedUntil != 0 {
		s.lockListOf(rec).remove(rec)
	}
	if rec.unlisted {
		delete(s.copies, rec.token)
	}
	rec.token, rec.lockedUntil, rec.holder = UUID{}, 0, nil
}

func (s *Source) lockListOf(rec *record) *lockList {
	if rec.session != nil {
		return &rec.session.locks
	}
	return &s.locks
}

// giveBackLocked unlocks a record and makes it available again, or deferred if that is what it was. A failed delivery
// counts; the last one allowed moves it to the dead letters.
func (s *Source) giveBackLocked(rec *record, failed bool, now int64) {
	wasDeferred := rec.wasDeferred
	s.unlockLocked(rec)
	if failed && s.settings.maxDeliveryCount > 0 {
		rec.count++
		if int(rec.count) >= s.settings.maxDeliveryCount && !rec.unlisted {
			s.deadLetterLocked(rec, "MaxDeliveryCountExceeded",
				fmt.Sprintf("Message could not be consumed after %d delivery attempts.", s.settings.maxDeliveryCount), nil)
			return
		}
	}
	switch {
	case wasDeferred:
		s.moveLocked(rec, deferred)
	case rec.expires != 0 && rec.expires <= now:
		s.moveLocked(rec, ready)
		s.expireLocked(rec)
	default:
		s.moveLocked(rec, ready)
		s.backlogOf(rec).giveBack(rec)
		s.offeredLocked(rec)
	}
}

func (s *Source) expireLocked(rec *record) {
	if s.settings.deadLetterOnExpiry && s.deadLetters != nil && !rec.unlisted {
		s.deadLetterLocked(rec, "TTLExpiredException", "The message expired and was dead lettered.", nil)
		return
	}
	s.removeLocked(rec)
}

// deadLetterLocked moves a record into the dead-letter queue, with its number and enqueued time.
func (s *Source) deadLetterLocked(rec *record, reason, description string, properties map[string]any) {
	s.intoSubqueueLocked(s.deadLetters, rec, reason, description, properties)
}

func (s *Source) intoSubqueueLocked(sub *Source, rec *record, reason, description string, properties map[string]any) {
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
	s.detachLocked(rec)
	if rec.unlisted {
		return
	}
	moved := &record{
		msg: rec.msg.withProperties(changes), share: rec.share, seq: rec.seq, enqueuedSeq: rec.enqueuedSeq,
		enqueued: rec.enqueued, count: rec.count, hops: rec.hops, deadLetterSource: rec.deadLetterSource, heapIndex: -1,
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.lastSeq = max(sub.lastSeq, moved.seq)
	sub.insertLocked(moved)
	sub.settledLocked(s.broker.now())
}

// settledLocked ends every change of a source: it hands out what can be handed out and sets the timer.
func (s *Source) settledLocked(now int64) {
	s.dispatchLocked(now)
	s.armLocked(now)
}

// tick is the timer's function: everything that happens by itself at its time.
func (s *Source) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = 0
	if s.closed != nil {
		return
	}
	now := s.broker.now()
	s.elapseLocked(now)
	s.settledLocked(now)
}

func (s *Source) elapseLocked(now int64) {
	for len(s.deadlines) > 0 && s.deadlines[0].deadline() <= now {
		rec := heap.Pop(&s.deadlines).(*record)
		switch rec.place {
		case scheduled:
			s.activateLocked(rec, now)
		case ready:
			s.expireLocked(rec)
		}
		// A locked or deferred record is looked at again when it comes back.
	}
	for s.locks.first != nil && s.locks.first.lockedUntil <= now {
		s.loseLockLocked(s.locks.first, now)
	}
	for sess := s.sessions.firstEnding(now); sess != nil; sess = s.sessions.firstEnding(now) {
		s.loseSessionLocked(sess, now)
	}
}

// activateLocked makes a scheduled record an ordinary one, under a new sequence number, as the service does.
func (s *Source) activateLocked(rec *record, now int64) {
	s.detachLocked(rec)
	s.enqueueLocked(arrival{msg: rec.msg, share: rec.share, enqueuedSeq: rec.enqueuedSeq}, now).due = rec.due
}

// armLocked sets the timer to the next thing that happens by itself.
func (s *Source) armLocked(now int64) {
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
	if next == 0 || s.closed != nil || s.armed != 0 && s.armed <= next {
		return // a timer that fires early arms itself again
	}
	s.armed = next
	wait := time.Duration(max(next-now, 0))
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.tick)
		return
	}
	s.timer.Reset(wait)
}

// close ends the source: its receivers are told, its messages forgotten.
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
		if rec.place != gone {
			s.account.release(rec)
			s.account.records.Add(-1)
		}
	}
	for _, sess := range s.sessions.byID {
		s.account.used.Add(-sess.stateSize())
	}
	s.log, s.backlog, s.deadlines, s.locks, s.outbox = seqLog{}, backlog{}, nil, lockList{}, nil
	s.sessions, s.counts, s.bytes = sessions{}, [gone]int64{}, 0
}

// change gives a source other settings. Its receivers are detached and every lock ends, as the service's do.
func (s *Source) change(to settings, why *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return
	}
	now := s.broker.now()
	s.detachReceiversLocked(why)
	for s.locks.first != nil {
		s.giveBackLocked(s.locks.first, false, now)
	}
	was := s.settings
	s.settings = to
	if to.forwardTo != was.forwardTo {
		s.rerouteLocked(now)
	}
	s.settledLocked(now)
}

func (s *Source) detachReceiversLocked(why *Error) {
	now := s.broker.now()
	for r := range s.receivers {
		s.closeReceiverLocked(r, why, false, now)
		r.options.Wake()
	}
}
