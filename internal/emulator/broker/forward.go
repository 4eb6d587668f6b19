package broker

// maxHops bounds how often a message may be forwarded ("Chaining Service Bus entities with autoforwarding").
const maxHops = 4

// forwardQueue holds the records that a source still has to forward.
type forwardQueue struct {
	outbox     []*record // oldest first
	forwarding bool      // a goroutine empties outbox
}

// startForwardingLocked starts the forwarder of the source unless it runs already. The forwarder
// ends when the outbox is empty; [Broker.Close] waits for it.
func (s *Source) startForwardingLocked() {
	if s.forwarding || !s.broker.background.begin() {
		return
	}
	s.forwarding = true
	go func() {
		defer s.broker.background.Done()
		for s.forwardOne() {
		}
	}()
}

// forwardOne moves the oldest record of the outbox to its destination. If the destination refuses
// it, the record moves to the transfer dead-letter queue of this entity ("Overview of Service Bus
// dead-letter queues", "Dead-lettering in ForwardTo or SendVia scenarios"). forwardOne reports false
// when the outbox is empty.
func (s *Source) forwardOne() bool {
	defer s.broker.begin().end()
	s.mu.Lock()
	for len(s.outbox) > 0 && s.outbox[0].state != transfer {
		s.outbox = s.outbox[1:]
	}
	if len(s.outbox) == 0 || s.closed != nil {
		s.outbox, s.forwarding = nil, false
		s.mu.Unlock()
		return false
	}
	rec, to := s.outbox[0], s.settings.forwardTo
	s.outbox = s.outbox[1:]
	s.mu.Unlock()

	failure := s.forward(rec, to)

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return false
	}
	if rec.state != transfer {
		return true // ForwardTo was removed during the transfer: both entities hold the message
	}
	now := s.broker.now()
	if failure == nil {
		s.removeLocked(rec)
	} else {
		s.moveToSubqueueLocked(s.transferDeadLetters, rec, failure.reason, failure.description, nil)
	}
	s.finishChangeLocked(now)
	return true
}

// forwardFailure is why a message could not be forwarded, as its dead letter tells it.
type forwardFailure struct{ reason, description string }

// The reasons that "Overview of Service Bus dead-letter queues" names. No document names the reason for a destination
// that refuses a message for another reason.
var (
	tooManyHops = &forwardFailure{"MaxTransferHopCountExceeded", "The maximum number of allowed hops when forwarding " +
		"between queues exceeded the limit. This value is set to four."}
	sessionIDIsNull = &forwardFailure{"Session ID is null.",
		"Session enabled entity doesn't allow a message whose session identifier is null."}
)

// forward sends the message of a record to another entity. Throttling does not apply to it.
func (s *Source) forward(rec *record, to string) *forwardFailure {
	if rec.hops >= maxHops {
		return tooManyHops
	}
	t, err := s.broker.Target(to)
	if err == nil && t.sessions && !rec.msg.HasSession {
		return sessionIDIsNull
	}
	if err == nil {
		err = s.forwardTo(t, rec)
	}
	if err != nil {
		return &forwardFailure{"TransferFailed", err.Error()}
	}
	return nil
}

func (s *Source) forwardTo(t *Target, rec *record) error {
	a := arrival{msg: rec.msg, enqueuedSeq: rec.enqueuedSeq, hops: rec.hops + 1, deadLetterSource: rec.deadLetterSource}
	if s.parent != "" {
		a.deadLetterSource = s.parent
	}
	if a.enqueuedSeq == 0 {
		a.enqueuedSeq = rec.seq
	}
	return t.storeAll([]arrival{a}, s.broker.now(), nil)
}

// rerouteLocked applies a change of ForwardTo to the records of the source: ready ones move to the outbox, or those in
// the outbox become ready.
func (s *Source) rerouteLocked(now int64) {
	for _, rec := range s.log.items {
		switch {
		case rec.state == ready && s.settings.forwardTo != "":
			s.deadlines.remove(rec)
			s.moveLocked(rec, transfer)
			s.outbox = append(s.outbox, rec)
		case rec.state == transfer && s.settings.forwardTo == "":
			s.moveLocked(rec, ready)
			s.backlogOfLocked(rec).requeue(rec)
			s.offerSessionLocked(rec)
		}
	}
	if len(s.outbox) > 0 {
		s.startForwardingLocked()
	}
}
