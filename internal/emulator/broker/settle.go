package broker

import (
	"encoding/binary"
	"time"
)

// Outcome selects what happens to a locked message.
type Outcome int

// The outcomes and the AMQP delivery states they come from.
const (
	Complete   Outcome = iota // accepted: removed
	Abandon                   // modified: available again, counted as a failed delivery
	Defer                     // modified, undeliverable-here: only ReceiveDeferred gets it; counted
	DeadLetter                // rejected: moved to the dead-letter queue
	Release                   // released: available again, not counted
)

// Settlement is an outcome with its parameters.
type Settlement struct {
	Outcome Outcome
	// Reason and Description become the application properties DeadLetterReason and DeadLetterErrorDescription.
	Reason, Description string
	// Properties are set among the application properties on Abandon, Defer and DeadLetter.
	Properties map[string]any
}

// newLockToken returns a random token that contains the sequence number, which makes a map from tokens to messages
// unnecessary.
func newLockToken(seq int64) UUID {
	u := newUUID()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(seq))
	copy(u[:6], b[:6])
	return u
}

func (u UUID) seq() int64 {
	var b [8]byte
	copy(b[:6], u[:6])
	return int64(binary.LittleEndian.Uint64(b[:]))
}

// maxReason bounds a dead-letter reason or description, in characters, as the SDKs document.
const maxReason = 4096

// recordByTokenLocked returns the record that the token locks.
func (s *Source) recordByTokenLocked(token UUID, now int64) (*record, error) {
	if err := s.checkReceiveLocked(); err != nil {
		return nil, err
	}
	rec := s.faults.copies[token]
	if rec == nil {
		rec = s.log.find(token.seq())
	}
	if rec == nil || rec.state != locked || rec.enlisted || rec.token != token || token == (UUID{}) ||
		rec.lockedUntil <= now {
		if s.settings.requiresSession {
			return nil, errSessionLockLost()
		}
		return nil, errLockLost()
	}
	return rec, nil
}

// Settle settles the message that the token locks. Any caller with the token may settle. If no such lock exists the
// code is [CodeLockLost], or [CodeSessionLockLost] where sessions are required.
func (s *Source) Settle(token UUID, how Settlement) error {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	rec, err := s.recordByTokenLocked(token, now)
	if err != nil {
		return err
	}
	if err := s.checkSettlementLocked(rec, how); err != nil {
		return err
	}
	s.settleLocked(rec, how, now)
	return nil
}

// checkSettlementLocked refuses an outcome that settleLocked could not carry out.
func (s *Source) checkSettlementLocked(rec *record, how Settlement) error {
	if err := rec.msg.checkChanges(how.Properties); err != nil {
		return err
	}
	switch {
	case len(how.Reason) > maxReason || len(how.Description) > maxReason:
		return errorf(CodeInvalidArgument, "The dead-letter reason or description is longer than %d characters.",
			maxReason)
	case how.Outcome == DeadLetter && s.deadLetters == nil:
		return errorf(CodeNotAllowed, "A message of the dead-letter queue '%s' cannot be dead-lettered.", s.path)
	case how.Outcome < Complete || how.Outcome > Release:
		return errorf(CodeInvalidArgument, "Unknown outcome %d.", how.Outcome)
	}
	return nil
}

// settleLocked carries out an outcome.
func (s *Source) settleLocked(rec *record, how Settlement, now int64) {
	s.activity.used(now)
	s.broker.meter.settled(how.Outcome)
	switch how.Outcome {
	case Complete:
		s.removeLocked(rec)
		return // no message became available and no deadline is earlier
	case Abandon:
		if len(how.Properties) > 0 {
			rec.msg = rec.msg.withProperties(how.Properties)
			s.broker.changes.altered(s, rec, false, true)
		}
		s.requeueLocked(rec, true, now)
	case Release:
		s.requeueLocked(rec, false, now)
	case Defer:
		if rec.faultCopy {
			s.removeLocked(rec)
			break
		}
		rec.msg = rec.msg.withProperties(how.Properties)
		s.unlockLocked(rec)
		if s.settings.maxDeliveryCount > 0 {
			rec.count++ // a deferral at the limit stays deferred: the next failed delivery dead-letters it
		}
		s.moveLocked(rec, deferred)
		s.broker.changes.altered(s, rec, true, len(how.Properties) > 0)
	case DeadLetter:
		s.deadLetterLocked(rec, how.Reason, how.Description, how.Properties)
	}
	s.finishChangeLocked(now)
}

// Renew extends message locks and returns their new ends, in the order of the tokens. If one lock is lost, none is
// extended. It refuses entities that require sessions, whose messages have no locks of their own.
func (s *Source) Renew(tokens []UUID) ([]time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings.requiresSession {
		return nil, errorf(CodeNotAllowed,
			"The lock of a message in a session cannot be renewed. Renew the session's lock.")
	}
	now := s.broker.now()
	ends := make([]time.Time, len(tokens))
	records := make([]*record, len(tokens))
	for i, token := range tokens {
		rec, err := s.recordByTokenLocked(token, now)
		if err != nil {
			return nil, err
		}
		records[i] = rec
	}
	s.activity.used(now)
	for i, rec := range records {
		s.locks.remove(rec)
		rec.lockedUntil = addTime(now, s.settings.lockDuration)
		s.locks.add(rec)
		ends[i] = unixTime(rec.lockedUntil)
	}
	s.setTimerLocked(now)
	return ends, nil
}

// MaxPeek bounds the number of messages that one Peek returns.
const MaxPeek = 250

// Peek returns up to n messages with at least the given sequence number, in any state, and leaves them where they are.
// A sessionID restricts it to that session; nil means all messages.
func (s *Source) Peek(from int64, n int, sessionID *string) ([]Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkBrowseLocked(); err != nil {
		return nil, err
	}
	if s.settings.forwardTo != "" {
		return nil, errorf(CodeNotAllowed,
			"Cannot create a message browser on an entity with auto-forwarding enabled.")
	}
	if n <= 0 {
		return nil, errorf(CodeArgumentOutOfRange, "The number of messages to peek must be positive, not %d.", n)
	}
	now := s.broker.now()
	s.activity.used(now)
	var found []Delivery
	for i := s.log.search(from); i < len(s.log.items) && len(found) < min(n, MaxPeek); i++ {
		rec := s.log.items[i]
		if rec.state == removed || sessionID != nil && (!rec.msg.HasSession || rec.msg.SessionID != *sessionID) {
			continue
		}
		d := rec.delivery()
		d.LockToken = UUID{}
		found = append(found, d)
	}
	s.broker.meter.peeked(len(found))
	return found, nil
}

// ReceiveDeferred takes deferred messages by their sequence numbers. Where sessions are required, a
// receiver must hold the session. If one message is missing, none is taken and the code is
// [CodeMessageNotFound]. A deferred message does not expire ("Overview of Service Bus dead-letter
// queues", "Time to live").
func (s *Source) ReceiveDeferred(numbers []int64, mode Mode, sessionID *string) ([]Delivery, error) {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkReceiveLocked(); err != nil {
		return nil, err
	}
	now := s.broker.now()
	var holder *Receiver
	if s.settings.requiresSession {
		if sessionID == nil {
			return nil, errorf(CodeNotAllowed,
				"It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
		}
		sess, err := s.sessionForReceiverLocked(*sessionID, now)
		if err != nil {
			return nil, err
		}
		holder = sess.holder
	}
	records := make([]*record, 0, len(numbers))
	for _, seq := range numbers {
		rec := s.log.find(seq)
		if rec == nil || rec.state != deferred || rec.session != nil && rec.session.id != *sessionID {
			return nil, errorf(CodeMessageNotFound,
				"Failed to lock one or more specified messages. The message does not exist.")
		}
		records = append(records, rec)
	}
	s.activity.used(now)
	taken := make([]Delivery, 0, len(records))
	for _, rec := range records {
		if rec.state != deferred {
			continue // named twice
		}
		rec.wasDeferred = true
		s.lockLocked(rec, mode, holder, now)
		taken = append(taken, rec.delivery())
		if mode == ReceiveAndDelete {
			s.removeLocked(rec)
		}
	}
	s.broker.meter.received(len(taken))
	s.finishChangeLocked(now)
	return taken, nil
}

// DeleteMessages removes up to n available messages that were enqueued before the given time, oldest first. It returns
// the number removed.
func (s *Source) DeleteMessages(n int, before time.Time) (int, error) {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkReceiveLocked(); err != nil {
		return 0, err
	}
	now, limit, deleted := s.broker.now(), instant(before), 0
	s.activity.used(now)
	var doomed []*record
	for _, rec := range s.log.items {
		if len(doomed) == n || rec.enqueued >= limit && rec.state == ready {
			break
		}
		if rec.state == ready {
			doomed = append(doomed, rec)
		}
	}
	for _, rec := range doomed {
		s.removeLocked(rec)
		deleted++
	}
	_ = s.broker.meter.charge(int64(deleted), false)
	return deleted, nil
}
