package broker

import "slices"

// Mode selects when a delivered message is settled.
type Mode int

// The two ways to receive.
const (
	PeekLock         Mode = iota // a message is locked until it is settled or the lock expires
	ReceiveAndDelete             // a message is removed when Take returns it
)

// ReceiverOptions configure a [Receiver] for its lifetime.
type ReceiverOptions struct {
	Mode Mode
	// Wake is called when Take has messages after it had none, when a session was accepted, and when the receiver
	// was detached. It runs on any goroutine, possibly under the broker's locks: it must neither block nor call
	// the broker. A non-blocking send on a channel of size 1 is enough. It must not be nil.
	Wake func()
	// Session requests a session of an entity that requires sessions. It must be nil for other entities.
	Session *SessionRequest
}

// SessionRequest requests the lock of one session.
type SessionRequest struct {
	// ID names the session. With Next, ID is ignored and any session with messages and without a receiver will do.
	ID   string
	Next bool
}

// Receiver receives the messages of a [Source] for one link. The source serves receivers with credit in the order in
// which the credit arrived. Its methods may be called from any goroutine.
type Receiver struct {
	// immutable
	source  *Source
	options ReceiverOptions

	// source.mu guards
	credit     int       // how many more messages Take may return, those in inbox included
	inbox      []*record // locked for this receiver, from head on
	head       int
	waiting    bool
	prev, next *Receiver // in source.waiters
	session    *session  // once accepted
	err        *Error    // why the receiver ended; nil while it is open
}

// receiverSet holds the receivers of a source.
type receiverSet struct {
	receivers map[*Receiver]struct{}
	waiters   waiterList // with credit left, in the order in which the credit arrived
}

// NewReceiver attaches a receiver without credit. On an entity that requires sessions the receiver may have none yet:
// see [Receiver.Session].
func (s *Source) NewReceiver(options ReceiverOptions) (*Receiver, error) {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkReceiveLocked(); err != nil {
		return nil, err
	}
	switch {
	case s.settings.forwardTo != "":
		return nil, errorf(CodeNotAllowed,
			"Cannot create a message receiver on an entity with auto-forwarding enabled.")
	case s.settings.requiresSession && options.Session == nil:
		return nil, errorf(CodeNotAllowed,
			"It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
	case !s.settings.requiresSession && options.Session != nil:
		return nil, errorf(CodeNotAllowed,
			"A sessionful message receiver cannot be created on an entity that does not require sessions. "+
				"Ensure RequiresSession is set to true when creating a Queue or Subscription to enable sessionful "+
				"behavior.")
	case len(s.receivers) >= s.broker.options.MaxReceivers:
		return nil, errorf(CodeServerBusy, "The maximum number of %d receivers of '%s' is reached.",
			s.broker.options.MaxReceivers, s.path)
	}
	now := s.broker.now()
	r := &Receiver{source: s, options: options}
	if options.Session != nil {
		if err := s.acceptLocked(r, now); err != nil {
			return nil, err
		}
	}
	s.activity.used(now)
	s.receivers[r] = struct{}{}
	s.finishChangeLocked(now)
	return r, nil
}

// Err returns nil while the receiver is open, and later the reason why it was detached. The code is
// [CodeDetached] after a change or deletion of the entity, [CodeSessionLockLost] after the loss of
// the session.
func (r *Receiver) Err() error {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	if r.err == nil {
		return nil
	}
	return r.err
}

// SetCredit sets how many messages Take may return from now on, including those already waiting for
// Take. A smaller number returns the excess to the entity. SetCredit delivers all available
// messages before it returns: for a drain, set the credit, Take until it returns 0, and set the
// credit to 0.
func (r *Receiver) SetCredit(n int) error {
	s := r.source
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	now := s.broker.now()
	s.activity.used(now)
	r.credit = max(n, 0)
	for len(r.inbox)-r.head > r.credit {
		last := len(r.inbox) - 1
		rec := r.inbox[last]
		r.inbox[last] = nil
		r.inbox = r.inbox[:last]
		s.requeueLocked(rec, false, now)
	}
	s.queueLocked(r)
	s.finishChangeLocked(now)
	return nil
}

// Credit returns how many messages Take may still return.
func (r *Receiver) Credit() int {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	return r.credit
}

// Take fills dst with messages for this receiver and returns their number. It never waits. Call it
// until it returns less than len(dst), and again after the next Wake. Messages taken in PeekLock
// mode stay locked when the receiver closes.
func (r *Receiver) Take(dst []Delivery) int {
	s := r.source
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(dst) && r.head < len(r.inbox) {
		rec := r.inbox[r.head]
		r.inbox[r.head] = nil
		r.head++
		dst[n] = rec.delivery()
		if rec.due != 0 && dst[n].State == Active {
			// The documents of ServiceBusReceivedMessage.State call scheduled what was scheduled, and not only what
			// waits for its time. The JavaScript SDK's live test "Schedule single message" receives it as scheduled.
			// The service may say active nevertheless, and did so in most runs if the message was due when it
			// came (azure-sdk-for-js, pull request 19357): so do we in that case alone.
			dst[n].State = Scheduled
		}
		n++
		if r.options.Mode == ReceiveAndDelete {
			s.removeLocked(rec)
		}
	}
	if r.head == len(r.inbox) {
		r.inbox, r.head = r.inbox[:0], 0
	}
	r.credit -= n
	if n > 0 {
		s.broker.meter.received(n)
	}
	return n
}

// Close detaches the receiver. Messages not yet taken return to the entity, and so does the session with all its
// messages. Other messages that were taken stay locked until settled or expired.
func (r *Receiver) Close() {
	s := r.source
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.err != nil {
		return
	}
	now := s.broker.now()
	s.closeReceiverLocked(r, errorf(CodeDetached, "The receiver is closed."), false, now)
	s.finishChangeLocked(now)
}

// closeReceiverLocked detaches a receiver and frees its session, if it has one. failed makes the
// returned messages count as failed deliveries.
func (s *Source) closeReceiverLocked(r *Receiver, why *Error, failed bool, now int64) {
	r.err = why
	delete(s.receivers, r)
	s.waiters.remove(r)
	s.sessions.acceptors = slices.DeleteFunc(s.sessions.acceptors, func(a *Receiver) bool { return a == r })
	for _, rec := range r.inbox[r.head:] {
		s.requeueLocked(rec, failed, now)
	}
	r.inbox, r.head, r.credit = nil, 0, 0
	if sess := r.session; sess != nil && sess.holder == r {
		s.releaseSessionLocked(sess, failed, now)
	}
}

// demandLocked returns how many more messages the source may deliver to r.
func (r *Receiver) demandLocked() int { return r.credit - (len(r.inbox) - r.head) }

// queueLocked adds r to the waiters if it has demand, else removes it. A receiver with a session does not compete.
func (s *Source) queueLocked(r *Receiver) {
	if r.options.Session != nil {
		if r.session != nil {
			s.sessions.markDispatchable(r.session)
		}
		return
	}
	if r.demandLocked() > 0 {
		s.waiters.add(r)
	} else {
		s.waiters.remove(r)
	}
}

// dispatchLocked delivers ready messages to receivers with credit.
func (s *Source) dispatchLocked(now int64) {
	if s.faults.stalled(now) || s.closed != nil || !s.settings.status.admitsReceive() {
		return
	}
	if s.settings.requiresSession {
		s.dispatchSessionsLocked(now)
		return
	}
	for r := s.waiters.first; r != nil; r = s.waiters.first {
		if !s.deliverNextLocked(&s.backlog, r, now) {
			return
		}
		if r.demandLocked() <= 0 {
			s.waiters.remove(r)
		}
	}
}

// deliverNextLocked delivers the first message of b to r. It reports false if there is none.
func (s *Source) deliverNextLocked(b *backlog, r *Receiver, now int64) bool {
	for rec := b.peek(); rec != nil; rec = b.peek() {
		b.pop()
		if rec.expires != 0 && rec.expires <= now {
			s.expireLocked(rec)
			continue
		}
		if s.faults.deliverTwice > 0 && !rec.faultCopy {
			s.faults.deliverTwice--
			again := *rec
			again.faultCopy, again.heapIndex = true, -1
			b.requeue(&again)
		}
		s.lockLocked(rec, r.options.Mode, r, now)
		if r.head == len(r.inbox) {
			r.options.Wake()
		}
		r.inbox = append(r.inbox, rec)
		return true
	}
	return false
}

// lockLocked locks rec for r. In ReceiveAndDelete mode the lock has neither token nor expiry: it lasts until Take.
func (s *Source) lockLocked(rec *record, mode Mode, r *Receiver, now int64) {
	s.moveLocked(rec, locked)
	rec.holder = r
	if mode == ReceiveAndDelete {
		return
	}
	rec.token = newLockToken(rec.seq)
	rec.lockedUntil = addTime(now, s.settings.lockDuration)
	if rec.session != nil {
		rec.lockedUntil = rec.session.lockedUntil
	}
	s.lockListOfLocked(rec).add(rec)
	if rec.faultCopy {
		if s.faults.copies == nil {
			s.faults.copies = make(map[UUID]*record)
		}
		s.faults.copies[rec.token] = rec
	}
}

// loseLockLocked ends an expired lock. If the receiver has not taken the message yet, it leaves the
// inbox and the credit becomes available again.
func (s *Source) loseLockLocked(rec *record, now int64) {
	s.leaveInboxLocked(rec)
	s.requeueLocked(rec, true, now)
}

// leaveInboxLocked takes a record out of the inbox of its receiver, whose credit becomes available again.
func (s *Source) leaveInboxLocked(rec *record) {
	r := rec.holder
	if r == nil {
		return
	}
	if i := slices.Index(r.inbox[r.head:], rec); i >= 0 {
		r.inbox = slices.Delete(r.inbox, r.head+i, r.head+i+1)
		s.queueLocked(r)
	}
}

// waiterList is a doubly linked queue of receivers.
type waiterList struct {
	first, last *Receiver
}

func (l *waiterList) add(r *Receiver) {
	if r.waiting {
		return
	}
	r.waiting = true
	r.prev, r.next = l.last, nil
	if l.last != nil {
		l.last.next = r
	} else {
		l.first = r
	}
	l.last = r
}

func (l *waiterList) remove(r *Receiver) {
	if !r.waiting {
		return
	}
	r.waiting = false
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		l.first = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	} else {
		l.last = r.prev
	}
	r.prev, r.next = nil, nil
}
