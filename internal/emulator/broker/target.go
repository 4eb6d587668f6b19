package broker

import (
	"container/heap"
	"sync"
	"time"
)

// Target is a queue or a topic: what senders attach to. Its methods may be called from any goroutine.
type Target struct {
	// immutable
	broker     *Broker
	id         uint64 // in the journal
	path       string
	kind       string // "Queue" or "Topic", for error texts
	queue      *Source
	size       *sizeCounter
	activity   *activity
	sessions   bool        // the queue requires sessions
	duplicates *duplicates // nil unless detection is on; mu guards its fields

	mu sync.Mutex // locked before the mutex of a source
	// mu guards
	status        Status
	maxBytes      int64
	maxMessage    int
	senders       map[*Sender]struct{}
	closed        *Error
	topicSettings // of a topic
}

// Path returns the name of the entity with the letter case of its creation.
func (t *Target) Path() string { return t.path }

// MaxMessageSize returns the largest Message.Size that the entity accepts, in bytes.
func (t *Target) MaxMessageSize() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.maxMessage
}

// MaxBatchSize returns the largest sum of sizes for one Send, in bytes.
func (t *Target) MaxBatchSize() int { return t.broker.options.Tier.maxBatchSize() }

// Send stores messages in their order, all or none. It schedules those with a ScheduledEnqueueTime
// in the future. When it returns nil, the messages are in the queue, or in every subscription whose
// rules match. The broker keeps the messages: the caller must not change them afterwards.
func (t *Target) Send(msgs []*Message) error {
	defer t.broker.begin().end()
	now := t.broker.now()
	arrivals := make([]arrival, len(msgs))
	for i, m := range msgs {
		arrivals[i].msg = m
	}
	return t.storeAll(arrivals, now, nil)
}

// Schedule stores messages that become active at their ScheduledEnqueueTime. It returns their sequence numbers, which
// Cancel accepts. A message with a time in the past becomes active at once. The active message has another number. A
// duplicate gets a number as well, which names no message.
func (t *Target) Schedule(msgs []*Message) ([]int64, error) {
	defer t.broker.begin().end()
	now := t.broker.now()
	arrivals := make([]arrival, len(msgs))
	for i, m := range msgs {
		arrivals[i].msg = m
	}
	numbers := make([]int64, 0, len(msgs))
	if err := t.storeAll(arrivals, now, &numbers); err != nil {
		return nil, err
	}
	return numbers, nil
}

// storeAll checks and stores arrivals, which are either all new or a single forwarded message. If numbers is not nil,
// storeAll appends their sequence numbers to it.
func (t *Target) storeAll(arrivals []arrival, now int64, numbers *[]int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.admitLocked(arrivals); err != nil {
		return err
	}
	t.storeLocked(arrivals, now, numbers)
	return nil
}

// admitLocked checks arrivals against the status of the entity and all limits, and charges for them.
func (t *Target) admitLocked(arrivals []arrival) error {
	if err := t.checkSendLocked(); err != nil {
		return err
	}
	for _, a := range arrivals {
		if err := t.checkLocked(a.msg); err != nil {
			return err
		}
	}
	if err := t.checkRoomLocked(arrivals); err != nil {
		return err
	}
	forwarded := len(arrivals) > 0 && arrivals[0].hops > 0
	return t.broker.meter.chargeSend(len(arrivals), t.evaluationsLocked(), !forwarded)
}

// checkRoomLocked refuses arrivals for which the entity has no room.
func (t *Target) checkRoomLocked(arrivals []arrival) error {
	total := sizeOf(arrivals)
	if !t.size.admits(total, int64(len(arrivals)*max(1, len(t.subscriptions))), t.maxBytes) {
		return errorf(CodeQuotaExceeded, "The maximum entity size has been reached or exceeded for %s: '%s'. "+
			"Size of entity in bytes:%d, Max entity size in bytes:%d.", t.kind, t.path, t.size.used.Load()+total,
			t.maxBytes)
	}
	return nil
}

// sizeOf returns the bytes of all arrivals.
func sizeOf(arrivals []arrival) (total int64) {
	for _, a := range arrivals {
		total += int64(a.msg.Size)
	}
	return total
}

// storeLocked stores arrivals that were admitted. If numbers is not nil, it appends their sequence numbers.
func (t *Target) storeLocked(arrivals []arrival, now int64, numbers *[]int64) {
	t.activity.used(now)
	if t.duplicates != nil {
		t.duplicates.mark(arrivals, now)
		t.broker.changes.seen(t, arrivals, now)
	}
	if t.queue != nil {
		t.storeInQueueLocked(arrivals, now, numbers)
	} else {
		t.storeInTopicLocked(arrivals, now, numbers)
	}
}

// checkSendLocked refuses to send or to cancel if the entity is deleted or its status forbids it.
func (t *Target) checkSendLocked() error {
	switch {
	case t.closed != nil:
		return t.closed
	case !t.status.admitsSend():
		return errDisabled(t.path, t.status)
	}
	if err := t.broker.changes.err(); err != nil {
		return err
	}
	return nil
}

// checkLocked checks a message against the limits of the entity.
func (t *Target) checkLocked(m *Message) *Error {
	switch {
	case m.Size > t.maxMessage:
		return errorf(CodeMessageTooLarge,
			"The received message (delivery-id:0, size:%d bytes) exceeds the limit (%d bytes) "+
				"currently allowed on the link.", m.Size, t.maxMessage)
	case t.sessions && !m.HasSession:
		return errorf(CodeNotAllowed, "The SessionId was not set on a message, and it cannot be sent to the entity. "+
			"Entities that have session support enabled can only receive messages that have the SessionId set to "+
			"a valid value.")
	}
	return m.check()
}

func (t *Target) storeInQueueLocked(arrivals []arrival, now int64, numbers *[]int64) {
	s := t.queue
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range arrivals {
		if a.duplicate {
			t.broker.changes.numbered(s.id, s.nextSeqLocked(a))
		} else {
			t.size.used.Add(int64(a.msg.Size))
			if due := instant(a.msg.ScheduledEnqueueTime); due > now {
				s.scheduleLocked(a, due)
			} else {
				t.broker.changes.put(s, s.enqueueLocked(a, now))
			}
		}
		if numbers != nil {
			*numbers = append(*numbers, s.lastSeq) // transactions, which reserve numbers, ask for none
		}
	}
	s.finishChangeLocked(now)
}

// scheduleLocked adds a record for a message that is not due yet.
func (s *Source) scheduleLocked(a arrival, due int64) {
	rec := &record{msg: a.msg, seq: s.nextSeqLocked(a), enqueuedSeq: a.enqueuedSeq, state: scheduled, heapIndex: -1}
	rec.due, rec.ttl = due, minTTL(a.msg.TTL, s.settings.ttl)
	s.insertScheduledLocked(rec)
	s.broker.changes.put(s, rec)
}

// insertScheduledLocked adds a record that is not due yet, and has a sequence number.
func (s *Source) insertScheduledLocked(rec *record) {
	rec.state = scheduled
	s.log.add(rec)
	s.size.records.Add(1)
	s.bytes += int64(rec.msg.Size)
	s.counts[scheduled]++
	heap.Push(&s.deadlines, rec)
}

// Cancel removes scheduled messages by the numbers that Schedule returned. If one is no longer
// scheduled, Cancel removes none and the code is [CodeMessageNotFound].
func (t *Target) Cancel(numbers []int64) error {
	defer t.broker.begin().end()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.checkSendLocked(); err != nil {
		return err
	}
	t.activity.used(t.broker.now())
	find := func(seq int64) *record { return t.scheduled[seq] }
	remove := t.removeScheduledLocked
	if s := t.queue; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		find, remove = s.log.find, s.removeLocked
	}
	records := make(map[int64]*record, len(numbers))
	for _, seq := range numbers {
		rec := find(seq)
		if rec == nil || rec.state != scheduled {
			return errorf(CodeMessageNotFound, "Failed to find scheduled message with sequence number %d.", seq)
		}
		records[seq] = rec
	}
	for _, rec := range records {
		remove(rec)
	}
	return nil
}

// removeScheduledLocked removes a scheduled message of a topic.
func (t *Target) removeScheduledLocked(rec *record) {
	t.deadlines.remove(rec)
	delete(t.scheduled, rec.seq)
	t.size.release(rec)
	t.size.records.Add(-1)
	t.broker.changes.removedScheduled(t, rec)
}

// change applies new limits and detaches the senders because of why.
func (t *Target) change(status Status, maxBytes int64, maxMessage int, ttl time.Duration, why *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status, t.maxBytes, t.maxMessage, t.ttl = status, maxBytes, maxMessage, ttl
	t.detachSendersLocked(why)
}

func (t *Target) detachSendersLocked(why *Error) {
	for sender := range t.senders {
		sender.err = why
		sender.wake()
	}
	clear(t.senders)
}

func (t *Target) close(why *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.detachSendersLocked(why)
	t.closed = errNotFound(t.path)
	if t.timer != nil {
		t.timer.Stop()
	}
	t.scheduled, t.deadlines, t.subscriptions = nil, nil, nil
}
