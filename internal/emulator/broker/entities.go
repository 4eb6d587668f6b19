package broker

// newSource returns a source with its subqueues. entity is their number in the journal. The caller still has to apply
// settings.
func (b *Broker) newSource(entity uint64, path string, size *sizeCounter, act *activity) *Source {
	newEmpty := func(subqueue uint64, path, parent string) *Source {
		return &Source{
			broker: b, id: sourceID(entity, subqueue), path: path, parent: parent, size: size, activity: act,
			receiverSet: receiverSet{receivers: make(map[*Receiver]struct{})},
		}
	}
	s := newEmpty(subqueueNone, path, "")
	s.deadLetters = newEmpty(subqueueDeadLetters, path+deadLetterQueue, path)
	s.transferDeadLetters = newEmpty(subqueueTransferDeadLetters, path+transferDeadLetterQueue, path)
	s.deadLetters.transferDeadLetters = s.transferDeadLetters
	return s
}

// changeAll applies settings to a source and its subqueues, which detaches their receivers because of why.
func (s *Source) changeAll(to settings, forwardDeadLetters string, why *Error) {
	sub := settings{lockDuration: to.lockDuration, ttl: Unlimited, status: to.status}
	s.transferDeadLetters.change(sub, why)
	sub.forwardTo = forwardDeadLetters
	s.deadLetters.change(sub, why)
	s.change(to, why)
}

func (s *Source) closeAll(why *Error) {
	s.close(why)
	s.deadLetters.close(why)
	s.transferDeadLetters.close(why)
}

func (b *Broker) checkNewEntityLocked(name string) *Error {
	if err := b.changes.err(); err != nil {
		return err
	}
	key := entityKey(name)
	switch {
	case b.closed:
		return errorf(CodeInternal, "The broker is closed.")
	case b.queues[key] != nil || b.topics[key] != nil:
		return errAlreadyExists(name)
	case len(b.queues)+len(b.topics) >= b.options.MaxEntities:
		return errorf(CodeQuotaExceeded, "The number of queues and topics has reached the limit of %d.",
			b.options.MaxEntities)
	}
	return nil
}

func errDeleted(path string) *Error {
	return errorf(CodeDetached, "The messaging entity '%s' was deleted.", path)
}

func errUpdated(path string) *Error {
	return errorf(CodeDetached, "The messaging entity '%s' was updated.", path)
}

// countAll counts the messages of a source and its subqueues. The three are not counted at one moment.
func (s *Source) countAll() Counts {
	main, dead, transferDead := s.count(), s.deadLetters.count(), s.transferDeadLetters.count()
	main.DeadLetter = dead.Total
	main.TransferDeadLetter = transferDead.Total
	main.Transfer += dead.Transfer
	main.Total += dead.Total + transferDead.Total
	main.Bytes += dead.Bytes + transferDead.Bytes
	return main
}

func (s *Source) count() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{
		Active:    s.counts[ready] + s.counts[locked] + s.counts[deferred],
		Scheduled: s.counts[scheduled], Transfer: s.counts[transfer], Total: int64(s.log.live), Bytes: s.bytes,
	}
}
