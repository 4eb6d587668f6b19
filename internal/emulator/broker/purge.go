package broker

import "maps"

// Purge removes all messages of the source, in every state, and the states of its sessions. Locks of its messages are
// lost. Receivers stay attached. It returns the number of messages.
func (s *Source) Purge() (int, error) {
	before := s.size.used.Load()
	defer func() { returnMemory(before - s.size.used.Load()) }()
	defer s.broker.begin().end()
	return s.purge()
}

func (s *Source) purge() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return 0, s.closed
	}
	now := s.broker.now()
	var doomed []*record
	for _, rec := range s.log.items {
		if rec.state != removed {
			doomed = append(doomed, rec)
		}
	}
	for _, rec := range doomed {
		s.leaveInboxLocked(rec)
		s.removeLocked(rec)
	}
	s.backlog, s.outbox = backlog{}, nil // of records that would be skipped later
	for _, sess := range maps.Clone(s.sessions.byID) {
		sess.backlog = backlog{}
		s.size.used.Add(-sess.stateSize())
		if sess.hasState {
			sess.state, sess.hasState = nil, false
			s.broker.changes.sessionState(s, sess)
		}
		s.sessions.forget(sess)
	}
	s.finishChangeLocked(now)
	return len(doomed), nil
}

// Reset removes all messages of the namespace, the states of sessions, and what duplicate detection remembers. Entities
// stay, and so do their senders and receivers.
func (b *Broker) Reset() {
	var freed int64
	defer func() { returnMemory(freed) }()
	defer b.begin().end()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.queues {
		freed += q.target.size.used.Load()
		q.target.forget()
		q.main.purgeAll()
	}
	for _, t := range b.topics {
		freed += t.target.size.used.Load()
		t.target.forget()
		for _, sub := range t.subs {
			sub.main.purgeAll()
		}
	}
}

// purgeAll purges a source and its subqueues.
func (s *Source) purgeAll() {
	for _, one := range []*Source{s, s.deadLetters, s.transferDeadLetters} {
		_, _ = one.purge() // an error means that the entity is closed
	}
}

// forget removes the scheduled messages of a topic, and the ids that duplicate detection remembers.
func (t *Target) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, rec := range t.scheduled {
		t.removeScheduledLocked(rec)
	}
	if t.duplicates != nil {
		t.duplicates.forget()
		t.broker.changes.forgot(t)
	}
}

// Resubmit moves dead letters back to the queue or topic that they came from, without their dead-letter reasons, and
// returns how many. numbers selects messages by sequence number; nil means all that are not locked. The error is the
// first refusal; messages before it have moved.
func (s *Source) Resubmit(numbers []int64) (int, error) {
	entity := s.parent
	if topic, _, ok := splitSubscription(entity); ok {
		entity = topic
	}
	if entity == "" {
		return 0, errorf(CodeNotAllowed, "'%s' is not a dead-letter queue.", s.path)
	}
	target, err := s.broker.Target(entity)
	if err != nil {
		return 0, err
	}
	locked := s.lockReady(numbers)
	for n, rec := range locked {
		m := rec.Message.clone()
		delete(m.Properties, "DeadLetterReason")
		delete(m.Properties, "DeadLetterErrorDescription")
		tx := s.broker.Begin()
		err := tx.Settle(s, rec.LockToken, Settlement{})
		if err == nil {
			err = tx.Send(target, []*Message{m})
		}
		if err == nil {
			err = tx.Commit()
		} else {
			tx.Rollback()
		}
		if err != nil {
			for _, rest := range locked[n:] {
				_ = s.Settle(rest.LockToken, Settlement{Outcome: Release}) // an error means that the lock has ended
			}
			return n, err
		}
	}
	return len(locked), nil
}

// lockReady locks the messages with the given numbers that are ready; nil means all.
func (s *Source) lockReady(numbers []int64) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	wanted := make(map[int64]bool, len(numbers))
	for _, n := range numbers {
		wanted[n] = true
	}
	var deliveries []Delivery
	for _, rec := range s.log.items {
		if rec.state == ready && (numbers == nil || wanted[rec.seq]) {
			s.lockLocked(rec, PeekLock, nil, now)
			deliveries = append(deliveries, rec.delivery())
		}
	}
	s.setTimerLocked(now)
	return deliveries
}
