package broker

// maxTransactionMessages is how many messages one transaction may send and settle ("Service Bus quotas").
const maxTransactionMessages = 100

// Transaction groups messages to send and locks to settle. They take effect together in Commit, or not at all. It
// must be used by one goroutine at a time. Its methods must not be called after Commit or Rollback.
//
// The messages are checked when they are added, and stored at Commit. A lock that is settled in a transaction does
// not end while the transaction is open, and nobody else can settle it; Commit fails if it should have ended.
type Transaction struct {
	broker   *Broker
	sends    []transactionSend // one for each entity, in order of the first message
	settled  []*transactionSettlement
	messages int
}

type transactionSend struct {
	target   *Target
	arrivals []arrival
	reserved int64 // bytes
}

type transactionSettlement struct {
	source *Source
	record *record
	token  UUID
	how    Settlement
}

// Begin returns a new transaction. The caller must end it by Commit or Rollback.
func (b *Broker) Begin() *Transaction { return &Transaction{broker: b} }

func (tx *Transaction) count(n int) error {
	if tx.messages+n > maxTransactionMessages {
		return errorf(CodeQuotaExceeded, "The transaction has more than %d messages.", maxTransactionMessages)
	}
	tx.messages += n
	return nil
}

// Send adds messages, with the checks of [Target.Send]. The queue has them after Commit.
func (tx *Transaction) Send(t *Target, msgs []*Message) error {
	_, err := tx.add(t, msgs, false)
	return err
}

// Schedule adds messages like Send, and returns their sequence numbers, which are valid after Commit.
func (tx *Transaction) Schedule(t *Target, msgs []*Message) ([]int64, error) {
	return tx.add(t, msgs, true)
}

func (tx *Transaction) add(t *Target, msgs []*Message, reserve bool) ([]int64, error) {
	defer t.broker.begin().end()
	arrivals := make([]arrival, len(msgs))
	for i, m := range msgs {
		arrivals[i].msg = m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.admitLocked(arrivals); err != nil {
		return nil, err
	}
	if err := tx.count(len(msgs)); err != nil {
		return nil, err
	}
	var numbers []int64
	if reserve {
		for i := range arrivals {
			arrivals[i].seq = t.reserveSeqLocked()
			numbers = append(numbers, arrivals[i].seq)
		}
	}
	for i := range tx.sends {
		if tx.sends[i].target == t {
			tx.sends[i].arrivals = append(tx.sends[i].arrivals, arrivals...)
			return numbers, nil
		}
	}
	tx.sends = append(tx.sends, transactionSend{target: t, arrivals: arrivals})
	return numbers, nil
}

// reserveSeqLocked returns the next sequence number of the entity.
func (t *Target) reserveSeqLocked() int64 {
	if t.queue == nil {
		t.lastSeq++
		t.broker.changes.numbered(t.scheduledID(), t.lastSeq)
		return t.lastSeq
	}
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	seq := t.queue.nextSeqLocked(arrival{})
	t.broker.changes.numbered(t.queue.id, seq)
	return seq
}

// Settle adds a settlement, with the checks of [Source.Settle].
func (tx *Transaction) Settle(s *Source, token UUID, how Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, err := s.recordByTokenLocked(token, s.broker.now())
	if err != nil {
		return err
	}
	if err := s.checkSettlementLocked(rec, how); err != nil {
		return err
	}
	if err := tx.count(1); err != nil {
		return err
	}
	s.lockListOfLocked(rec).remove(rec)
	rec.enlisted = true
	tx.settled = append(tx.settled, &transactionSettlement{s, rec, token, how})
	return nil
}

// Commit makes everything in the transaction take effect. If it returns an error, nothing has taken effect and the
// transaction is rolled back.
func (tx *Transaction) Commit() error {
	defer tx.broker.begin().end()
	if err := tx.prepare(); err != nil {
		tx.rollBack()
		return err
	}
	now := tx.broker.now()
	for _, one := range tx.settled {
		one.apply(now)
	}
	for i := range tx.sends {
		tx.sends[i].apply(now)
	}
	tx.sends, tx.settled = nil, nil
	return nil
}

// Rollback discards the messages. The locks are as before, or end now if they should have ended already.
func (tx *Transaction) Rollback() {
	defer tx.broker.begin().end()
	tx.rollBack()
}

func (tx *Transaction) rollBack() {
	for i := range tx.sends {
		tx.sends[i].release()
	}
	now := tx.broker.now()
	for _, one := range tx.settled {
		one.undo(now)
	}
	tx.sends, tx.settled = nil, nil
}

// prepare checks what may have changed since the messages and locks were added, and reserves room for the messages, so
// that apply can't fail. An entity that is changed between the two is treated as if it had been changed after both.
func (tx *Transaction) prepare() error {
	now := tx.broker.now()
	for _, one := range tx.settled {
		if err := one.check(now); err != nil {
			return err
		}
	}
	for i := range tx.sends {
		if err := tx.sends[i].reserve(); err != nil {
			return err
		}
	}
	return nil
}

// reserve counts the bytes of the messages against the size of the entity.
func (ts *transactionSend) reserve() error {
	t := ts.target
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.checkSendLocked(); err != nil {
		return err
	}
	if err := t.checkRoomLocked(ts.arrivals); err != nil {
		return err
	}
	ts.reserved = sizeOf(ts.arrivals)
	t.size.used.Add(ts.reserved)
	return nil
}

func (ts *transactionSend) release() {
	ts.target.size.used.Add(-ts.reserved)
	ts.reserved = 0
}

func (ts *transactionSend) apply(now int64) {
	ts.target.mu.Lock()
	defer ts.target.mu.Unlock()
	ts.release()
	if ts.target.closed == nil {
		ts.target.storeLocked(ts.arrivals, now, nil)
	}
}

// check refuses a lock that should have ended by now.
func (ts *transactionSettlement) check(now int64) error {
	s, rec := ts.source, ts.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkReceiveLocked(); err != nil {
		return err
	}
	switch {
	case s.settings.requiresSession && !ts.sessionHeldLocked(now):
		return errSessionLockLost()
	case !s.settings.requiresSession && rec.lockedUntil <= now:
		return errLockLost()
	}
	return nil
}

// sessionHeldLocked reports whether the receiver that got the message still holds the session.
func (ts *transactionSettlement) sessionHeldLocked(now int64) bool {
	sess := ts.record.session
	return sess.holder != nil && sess.holder == ts.record.holder && sess.lockedUntil > now
}

func (ts *transactionSettlement) apply(now int64) {
	ts.source.mu.Lock()
	defer ts.source.mu.Unlock()
	if ts.source.closed == nil && ts.record.enlisted { // else it was purged
		ts.source.settleLocked(ts.record, ts.how, now)
	}
}

// undo gives the lock back, or ends it.
func (ts *transactionSettlement) undo(now int64) {
	s, rec := ts.source, ts.record
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil || !rec.enlisted {
		return
	}
	switch {
	case s.settings.requiresSession && ts.sessionHeldLocked(now):
		rec.enlisted, rec.lockedUntil = false, rec.session.lockedUntil
		rec.session.locks.add(rec)
	case s.settings.requiresSession || rec.lockedUntil <= now || !s.settings.status.admitsReceive():
		s.requeueLocked(rec, true, now)
	default:
		rec.enlisted = false
		s.locks.insert(rec)
	}
	s.finishChangeLocked(now)
}
