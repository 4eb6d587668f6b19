package broker

import "slices"

// Mode says when a message is settled.
type Mode int

// The two ways to receive.
const (
	PeekLock         Mode = iota // locked until settled or the lock ends
	ReceiveAndDelete             // gone when taken
)

// ReceiverOptions are fixed for the life of a [Receiver].
type ReceiverOptions struct {
	Mode Mode
	// Wake is called when Take has something again after it had nothing, when a session was accepted, and when the
	// receiver was detached. It runs on any goroutine, possibly under the broker's locks: it must neither block nor
	// call the broker. A send on a channel of size 1 with default is what it is for. Not nil.
	Wake func()
	// Session selects among the sessions of an entity that requires them, and must be nil elsewhere.
	Session *SessionRequest
}

// SessionRequest asks for the lock of one session.
type SessionRequest struct {
	// ID names the session; Next asks for any that has messages and no receiver instead.
	ID   string
	Next bool
}

// Receiver is one link's claim on the messages of a [Source]. Receivers with credit are served in the order in which
// their credit arrived. Its methods may be called from any goroutine.
type Receiver struct {
	// immutable
	source  *Source
	options ReceiverOptions

	// source.mu guards
	credit     int       // how many more messages Take may return
	inbox      []*record // locked for this receiver, from head on
	head       int
	waiting    bool
	prev, next *Receiver // in source.waiters
	session    *session  // once accepted
	err        *Error    // why it ended; nil while it is open
}

// NewReceiver attaches a receiver. It has no credit. On an entity that requires sessions it may still wait for one:
// see Session.
func (s *Source) NewReceiver(options ReceiverOptions) (*Receiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed != nil:
		return nil, s.closed
	case !s.settings.status.admitsReceive():
		return nil, errDisabled(s.path, s.settings.status)
	case s.settings.forwardTo != "":
		return nil, errorf(CodeNotAllowed, "Cannot create a message receiver on an entity with auto-forwarding enabled.")
	case s.settings.requiresSession && options.Session == nil:
		return nil, errorf(CodeNotAllowed, "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
	case !s.settings.requiresSession && options.Session != nil:
		return nil, errorf(CodeNotAllowed, "A sessionful message receiver cannot be created on an entity that does not require sessions. "+
			"Ensure RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior.")
	case len(s.receivers) >= s.broker.options.MaxReceivers:
		return nil, errorf(CodeServerBusy, "The maximum number of %d receivers of '%s' is reached.", s.broker.options.MaxReceivers, s.path)
	}
	now := s.broker.now()
	r := &Receiver{source: s, options: options}
	if options.Session != nil {
		if err := s.acceptLocked(r, now); err != nil {
			return nil, err
		}
	}
	s.life.used(now)
	s.receivers[r] = struct{}{}
	s.settledLocked(now)
	return r, nil
}

// Err returns nil while the receiver is open, and afterwards why it was detached: code [CodeDetached] after a change
// or deletion of the entity, [CodeSessionLockLost] after the loss of the session.
func (r *Receiver) Err() error {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	if r.err == nil {
		return nil
	}
	return r.err
}

// SetCredit sets how many messages Take may return from now on, those included that are ready to be taken. Less than
// those gives the rest back to the entity. For a drain, set the credit, Take until nothing comes, and set it to 0:
// what is available is handed out before SetCredit returns.
func (r *Receiver) SetCredit(n int) error {
	s := r.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	now := s.broker.now()
	s.life.used(now)
	r.credit = max(n, 0)
	for len(r.inbox)-r.head > r.credit {
		last := len(r.inbox) - 1
		rec := r.inbox[last]
		r.inbox[last] = nil
		r.inbox = r.inbox[:last]
		s.giveBackLocked(rec, false, now)
	}
	s.queueLocked(r)
	s.settledLocked(now)
	return nil
}

// Credit returns how many messages Take may still return.
func (r *Receiver) Credit() int {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	return r.credit
}

// Take fills dst with messages for this receiver and returns how many. It never waits; call it until it returns less
// than len(dst), then again after the next Wake. Messages taken in PeekLock mode stay locked when the receiver closes.
func (r *Receiver) Take(dst []Delivery) int {
	s := r.source
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(dst) && r.head < len(r.inbox) {
		rec := r.inbox[r.head]
		r.inbox[r.head] = nil
		r.head++
		dst[n] = rec.delivery()
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

// Close detaches the receiver. Messages not yet taken go back to the entity, as does a session with all its messages;
// messages taken under a lock of their own keep it until settled or expired.
func (r *Receiver) Close() {
	s := r.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.err != nil {
		return
	}
	now := s.broker.now()
	s.closeReceiverLocked(r, errorf(CodeDetached, "The receiver is closed."), false, now)
	s.settledLocked(now)
}

// closeReceiverLocked ends a receiver and its session, if it has one. What goes back counts as a failed delivery only if
// failed says so.
func (s *Source) closeReceiverLocked(r *Receiver, why *Error, failed bool, now int64) {
	r.err = why
	delete(s.receivers, r)
	s.waiters.remove(r)
	s.sessions.acceptors = slices.DeleteFunc(s.sessions.acceptors, func(a *Receiver) bool { return a == r })
	for _, rec := range r.inbox[r.head:] {
		s.giveBackLocked(rec, failed, now)
	}
	r.inbox, r.head, r.credit = nil, 0, 0
	if sess := r.session; sess != nil && sess.holder == r {
		s.releaseSessionLocked(sess, failed, now)
	}
}

// demand is how many more messages the broker may hand to r.
func (r *Receiver) demand() int { return r.credit - (len(r.inbox) - r.head) }

// queueLocked puts r among the waiters if it wants more, or takes it out. A receiver of a session has no rivals.
func (s *Source) queueLocked(r *Receiver) {
	if r.options.Session != nil {
		if r.session != nil {
			s.sessions.heat(r.session)
		}
		return
	}
	if r.demand() > 0 {
		s.waiters.add(r)
	} else {
		s.waiters.remove(r)
	}
}

// dispatchLocked hands ready messages to receivers with credit.
func (s *Source) dispatchLocked(now int64) {
	if s.faults.stalled(now) || s.closed != nil || !s.settings.status.admitsReceive() {
		return
	}
	if s.settings.requiresSession {
		s.dispatchSessionsLocked(now)
		return
	}
	for r := s.waiters.first; r != nil; r = s.waiters.first {
		if !s.handNextLocked(&s.backlog, r, now) {
			return
		}
		if r.demand() <= 0 {
			s.waiters.remove(r)
		}
	}
}

// handNextLocked hands the first message of b to r, and reports false if there is none.
func (s *Source) handNextLocked(b *backlog, r *Receiver, now int64) bool {
	for rec := b.peek(); rec != nil; rec = b.peek() {
		b.pop()
		if rec.expires != 0 && rec.expires <= now {
			s.expireLocked(rec)
			continue
		}
		if s.faults.twice > 0 && !rec.unlisted {
			s.faults.twice--
			again := *rec
			again.unlisted, again.heapIndex = true, -1
			b.giveBack(&again)
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

// lockLocked marks rec as taken. In ReceiveAndDelete mode that lock has no end and no token: it lasts until Take.
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
	s.lockListOf(rec).add(rec)
	if rec.unlisted {
		if s.copies == nil {
			s.copies = make(map[UUID]*record)
		}
		s.copies[rec.token] = rec
	}
}

// loseLockLocked ends a lock whose time is over. A message its receiver has not taken yet leaves that receiver's inbox,
// and the credit it had used counts again.
func (s *Source) loseLockLocked(rec *record, now int64) {
	if r := rec.holder; r != nil {
		if i := slices.Index(r.inbox[r.head:], rec); i >= 0 {
			r.inbox = slices.Delete(r.inbox, r.head+i, r.head+i+1)
			s.queueLocked(r)
		}
	}
	s.giveBackLocked(rec, true, now)
}

// waiterList is a queue of receivers.
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
