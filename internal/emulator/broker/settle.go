package broker

import (
	"encoding/binary"
	"time"
)

// Outcome is what becomes of a locked message.
type Outcome int

// The outcomes and the AMQP delivery states they come from.
const (
	Complete   Outcome = iota // accepted: removed
	Abandon                   // modified: available again, counted as a failed delivery
	Defer                     // modified, undeliverable-here: only ReceiveDeferred gets it
	DeadLetter                // rejected: moved to the dead-letter queue
	Release                   // released: available again, not counted
)

// Settlement is an outcome with what belongs to it.
type Settlement struct {
	Outcome Outcome
	// Reason and Description become the application properties DeadLetterReason and DeadLetterErrorDescription.
	Reason, Description string
	// Properties to set among the application properties on Abandon, Defer and DeadLetter.
	Properties map[string]any
}

// newLockToken returns a token that carries the sequence number, so that no map from tokens to messages is needed.
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

// maxReason is the most characters of a dead-letter reason or description, as the SDKs document it.
const maxReason = 4096

// lockedBy returns the record under the given lock.
func (s *Source) lockedBy(token UUID, now int64) (*record, error) {
	if s.closed != nil {
		return nil, s.closed
	}
	rec := s.copies[token]
	if rec == nil {
		rec = s.log.find(token.seq())
	}
	if rec == nil || rec.place != locked || rec.token != token || token == (UUID{}) || rec.lockedUntil <= now {
		if s.settings.requiresSession {
			return nil, errSessionLockLost()
		}
		return nil, errLockLost()
	}
	return rec, nil
}

// Settle decides about a message by its lock, whoever holds it. The error's code is [CodeLockLost], or
// [CodeSessionLockLost] where sessions are required, if the lock has ended or never was.
func (s *Source) Settle(token UUID, how Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	rec, err := s.lockedBy(token, now)
	if err != nil {
		return err
	}
	if err := rec.msg.checkProperties(how.Properties); err != nil {
		return err
	}
	if len(how.Reason) > maxReason || len(how.Description) > maxReason {
		return errorf(CodeInvalidArgument, "The dead-letter reason or description is longer than %d characters.", maxReason)
	}
	s.life.used(now)
	s.broker.meter.settled(how.Outcome)
	switch how.Outcome {
	case Complete:
		s.removeLocked(rec)
		return nil // nothing became available and no lock ends sooner
	case Abandon:
		rec.msg = rec.msg.withProperties(how.Properties)
		s.giveBackLocked(rec, true, now)
	case Release:
		s.giveBackLocked(rec, false, now)
	case Defer:
		if rec.unlisted {
			s.removeLocked(rec)
			break
		}
		rec.msg = rec.msg.withProperties(how.Properties)
		s.unlockLocked(rec)
		s.moveLocked(rec, deferred)
	case DeadLetter:
		if s.deadLetters == nil {
			return errorf(CodeNotAllowed, "A message of the dead-letter queue '%s' cannot be dead-lettered.", s.path)
		}
		s.deadLetterLocked(rec, how.Reason, how.Description, how.Properties)
	default:
		return errorf(CodeInvalidArgument, "Unknown outcome %d.", how.Outcome)
	}
	s.settledLocked(now)
	return nil
}

// Renew extends message locks and returns their new ends, in the order of the tokens. One lost lock fails them all. Messages
// of a session have no locks of their own to renew.
func (s *Source) Renew(tokens []UUID) ([]time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings.requiresSession {
		return nil, errorf(CodeNotAllowed, "The lock of a message in a session cannot be renewed. Renew the session's lock.")
	}
	now := s.broker.now()
	ends := make([]time.Time, len(tokens))
	records := make([]*record, len(tokens))
	for i, token := range tokens {
		rec, err := s.lockedBy(token, now)
		if err != nil {
			return nil, err
		}
		records[i] = rec
	}
	s.life.used(now)
	for i, rec := range records {
		s.locks.remove(rec)
		rec.lockedUntil = addTime(now, s.settings.lockDuration)
		s.locks.add(rec)
		ends[i] = unixTime(rec.lockedUntil)
	}
	s.armLocked(now)
	return ends, nil
}

// MaxPeek is how many messages one Peek returns at most.
const MaxPeek = 250

// Peek returns up to n messages from the given sequence number on, in any state and without taking them. With a
// session it returns only that session's.
func (s *Source) Peek(from int64, n int, sessionID *string) ([]Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	if s.settings.forwardTo != "" {
		return nil, errorf(CodeNotAllowed, "Cannot create a message browser on an entity with auto-forwarding enabled.")
	}
	if n <= 0 {
		return nil, errorf(CodeArgumentOutOfRange, "The number of messages to peek must be positive, not %d.", n)
	}
	now := s.broker.now()
	s.life.used(now)
	var found []Delivery
	for i := s.log.search(from); i < len(s.log.items) && len(found) < min(n, MaxPeek); i++ {
		rec := s.log.items[i]
		if rec.place == gone || sessionID != nil && (!rec.msg.HasSession || rec.msg.SessionID != *sessionID) {
			continue
		}
		d := rec.delivery()
		d.LockToken = UUID{}
		found = append(found, d)
	}
	s.broker.meter.peeked(len(found))
	return found, nil
}

// ReceiveDeferred takes deferred messages by their sequence numbers; where sessions are required a receiver must hold
// the session named. All must be there, else the code is [CodeMessageNotFound] and none is taken. A deferred message does
// not expire ("Overview of Service Bus dead-letter queues", "Time to live").
func (s *Source) ReceiveDeferred(numbers []int64, mode Mode, sessionID *string) ([]Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	if !s.settings.status.admitsReceive() {
		return nil, errDisabled(s.path, s.settings.status)
	}
	now := s.broker.now()
	var holder *Receiver
	if s.settings.requiresSession {
		if sessionID == nil {
			return nil, errorf(CodeNotAllowed, "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
		}
		sess, err := s.heldLocked(*sessionID, now)
		if err != nil {
			return nil, err
		}
		holder = sess.holder
	}
	records := make([]*record, 0, len(numbers))
	for _, seq := range numbers {
		rec := s.log.find(seq)
		if rec == nil || rec.place != deferred || rec.session != nil && rec.session.id != *sessionID {
			return nil, errorf(CodeMessageNotFound, "Failed to lock one or more specified messages. The message does not exist.")
		}
		records = append(records, rec)
	}
	s.life.used(now)
	taken := make([]Delivery, 0, len(records))
	for _, rec := range records {
		if rec.place != deferred {
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
	s.settledLocked(now)
	return taken, nil
}

// DeleteMessages removes up to n available messages that were enqueued before the given time, oldest first, and
// returns how many.
func (s *Source) DeleteMessages(n int, before time.Time) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return 0, s.closed
	}
	now, limit, deleted := s.broker.now(), instant(before), 0
	s.life.used(now)
	var doomed []*record
	for _, rec := range s.log.items {
		if len(doomed) == n || rec.enqueued >= limit && rec.place == ready {
			break
		}
		if rec.place == ready {
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
