package broker

import (
	"container/heap"
	"sync"
	"time"
)

const (
	maxIDLength    = 128 // of message-id, session-id and partition key, in characters
	maxHops        = 4   // of forwarding
	topicSeqOffset = 1 << 20
)

// Target is what senders attach to: a queue or a topic. Its methods may be called from any goroutine.
type Target struct {
	// immutable
	broker     *Broker
	path       string
	kind       string // "Queue" or "Topic", as messages to people call it
	queue      *Source
	account    *account
	life       *life
	sessions   bool        // the queue requires them
	duplicates *duplicates // nil unless detection is on; mu guards what it points to

	mu sync.Mutex // locked before the mutex of a source
	// mu guards
	status        Status
	maxBytes      int64
	maxMessage    int
	senders       map[*Sender]struct{}
	closed        *Error
	topicSettings // of a topic
}

// topicSettings is what a topic has beyond a queue. The target's mutex guards it.
type topicSettings struct {
	ttl           time.Duration
	lastSeq       int64
	subscriptions []*subscription // in order of their creation
	scheduled     map[int64]*record
	deadlines     deadlines
	timer         *time.Timer
}

// Sender is one link's right to send to a [Target].
type Sender struct {
	target *Target
	wake   func()
	err    *Error // target.mu guards
}

// NewSender attaches a sender. wake is called when it is detached, under the rules of [ReceiverOptions].Wake.
func (t *Target) NewSender(wake func()) (*Sender, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return nil, t.closed
	}
	if !t.status.admitsSend() {
		return nil, errDisabled(t.path, t.status)
	}
	sender := &Sender{target: t, wake: wake}
	t.senders[sender] = struct{}{}
	return sender, nil
}

// Target returns what the sender is attached to.
func (s *Sender) Target() *Target { return s.target }

// Err returns nil while the sender is open, and afterwards why it was detached, with code [CodeDetached].
func (s *Sender) Err() error {
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return s.err
}

// Send is [Target.Send] for as long as the sender is attached.
func (s *Sender) Send(msgs []*Message) error {
	if err := s.Err(); err != nil {
		return err
	}
	return s.target.Send(msgs)
}

// Close detaches the sender.
func (s *Sender) Close() {
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if s.err == nil {
		s.err = errorf(CodeDetached, "The sender is closed.")
		delete(s.target.senders, s)
	}
}

// Path returns the entity's name as it was created.
func (t *Target) Path() string { return t.path }

// MaxMessageSize is the largest Message.Size the entity takes, in bytes.
func (t *Target) MaxMessageSize() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.maxMessage
}

// MaxBatchSize is the largest sum of sizes one Send takes, in bytes.
func (t *Target) MaxBatchSize() int { return t.broker.options.Tier.maxBatchSize() }

// Send stores messages in their order, all or none. Those with a ScheduledEnqueueTime ahead are scheduled. When it returns nil
// the messages are in the queue or in every subscription that takes them. The broker keeps them.
func (t *Target) Send(msgs []*Message) error {
	now := t.broker.now()
	arrivals := make([]arrival, len(msgs))
	for i, m := range msgs {
		arrivals[i].msg = m
	}
	return t.accept(arrivals, now, nil)
}

// Schedule stores messages that become active at their ScheduledEnqueueTime and returns the sequence numbers by
// which Cancel knows them. A time in the past makes a message active at once. The active message has another number.
func (t *Target) Schedule(msgs []*Message) ([]int64, error) {
	now := t.broker.now()
	arrivals := make([]arrival, len(msgs))
	for i, m := range msgs {
		arrivals[i].msg = m
	}
	numbers := make([]int64, 0, len(msgs))
	if err := t.accept(arrivals, now, &numbers); err != nil {
		return nil, err
	}
	return numbers, nil
}

// accept checks and stores arrivals. If numbers is not nil it gets their sequence numbers.
func (t *Target) accept(arrivals []arrival, now int64, numbers *[]int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return t.closed
	}
	if !t.status.admitsSend() {
		return errDisabled(t.path, t.status)
	}
	var total int64
	for _, a := range arrivals {
		if err := t.checkLocked(a.msg); err != nil {
			return err
		}
		total += int64(a.msg.Size)
	}
	if used := t.account.used.Load(); used+total > t.maxBytes {
		return errorf(CodeQuotaExceeded, "The maximum entity size has been reached or exceeded for %s: '%s'. "+
			"Size of entity in bytes:%d, Max entity size in bytes:%d.", t.kind, t.path, used+total, t.maxBytes)
	}
	if err := t.broker.meter.sending(len(arrivals), t.evaluationsLocked()); err != nil {
		return err
	}
	t.life.used(now)
	if t.duplicates != nil && numbers == nil {
		arrivals = t.duplicates.drop(arrivals, now)
	}
	if t.queue != nil {
		t.intoQueueLocked(arrivals, now, numbers)
	} else {
		t.intoTopicLocked(arrivals, now, numbers)
	}
	return nil
}

func (t *Target) checkLocked(m *Message) *Error {
	switch {
	case m.Size > t.maxMessage:
		return errorf(CodeMessageTooLarge, "The received message (delivery-id:0, size:%d bytes) exceeds the limit (%d bytes) currently allowed on the link.", m.Size, t.maxMessage)
	case len(m.ID) > maxIDLength:
		return errorf(CodeInvalidArgument, "The message id is longer than %d characters.", maxIDLength)
	case len(m.SessionID) > maxIDLength || len(m.PartitionKey) > maxIDLength || len(m.ReplyToSessionID) > maxIDLength:
		return errorf(CodeInvalidArgument, "A session id or partition key is longer than %d characters.", maxIDLength)
	case m.HasSession && m.PartitionKey != "" && m.PartitionKey != m.SessionID:
		return errorf(CodeInvalidArgument, "PartitionKey property value '%s' and SessionId property value '%s' must match.", m.PartitionKey, m.SessionID)
	case t.sessions && !m.HasSession:
		return errorf(CodeNotAllowed, "The SessionId was not set on a message, and it cannot be sent to the entity. "+
			"Entities that have session support enabled can only receive messages that have the SessionId set to a valid value.")
	}
	return nil
}

func (t *Target) intoQueueLocked(arrivals []arrival, now int64, numbers *[]int64) {
	s := t.queue
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range arrivals {
		t.account.used.Add(int64(a.msg.Size))
		var rec *record
		if due := instant(a.msg.ScheduledEnqueueTime); due > now {
			rec = s.scheduleLocked(a, due)
		} else {
			rec = s.enqueueLocked(a, now)
		}
		if numbers != nil {
			*numbers = append(*numbers, rec.seq)
		}
	}
	s.settledLocked(now)
}

// scheduleLocked adds a record that is not due yet.
func (s *Source) scheduleLocked(a arrival, due int64) *record {
	s.lastSeq++
	rec := &record{msg: a.msg, seq: s.lastSeq, enqueuedSeq: a.enqueuedSeq, due: due, place: scheduled, heapIndex: -1}
	s.log.add(rec)
	s.bytes += int64(a.msg.Size)
	s.counts[scheduled]++
	heap.Push(&s.deadlines, rec)
	return rec
}

// intoTopicLocked gives arrivals their numbers and copies them to the subscriptions.
func (t *Target) intoTopicLocked(arrivals []arrival, now int64, numbers *[]int64) {
	active := make([]arrival, 0, len(arrivals))
	for _, a := range arrivals {
		t.lastSeq++
		if numbers != nil {
			*numbers = append(*numbers, t.lastSeq)
		}
		if due := instant(a.msg.ScheduledEnqueueTime); due > now {
			t.scheduleLocked(a, due)
			continue
		}
		if a.enqueuedSeq == 0 {
			a.enqueuedSeq = t.lastSeq
		}
		a.ttl = t.ttl
		active = append(active, a)
	}
	t.publishLocked(active, now)
}

// publishLocked copies messages to the subscriptions. The bytes count once, for as long as any copy exists.
func (t *Target) publishLocked(active []arrival, now int64) {
	if len(active) == 0 {
		return
	}
	shares := make([]share, len(active))
	for i := range active {
		t.account.used.Add(int64(active[i].msg.Size))
		active[i].share = &shares[i]
		shares[i].refs.Store(1) // this function's own
	}
	for _, sub := range t.subscriptions {
		sub.offer(active, now)
	}
	for i := range active {
		t.account.release(&record{msg: active[i].msg, share: &shares[i]})
	}
}

func (t *Target) scheduleLocked(a arrival, due int64) {
	rec := &record{msg: a.msg, seq: t.lastSeq, enqueuedSeq: a.enqueuedSeq, due: due, place: scheduled, heapIndex: -1}
	t.account.used.Add(int64(a.msg.Size))
	if t.scheduled == nil {
		t.scheduled = make(map[int64]*record)
	}
	t.scheduled[rec.seq] = rec
	heap.Push(&t.deadlines, rec)
	t.armLocked()
}

func (t *Target) armLocked() {
	if len(t.deadlines) == 0 {
		return
	}
	wait := time.Duration(max(t.deadlines[0].due-t.broker.now(), 0))
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, t.tick)
		return
	}
	t.timer.Reset(wait)
}

// tick publishes the scheduled messages of a topic that are due.
func (t *Target) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return
	}
	now := t.broker.now()
	var active []arrival
	for len(t.deadlines) > 0 && t.deadlines[0].due <= now {
		rec := heap.Pop(&t.deadlines).(*record)
		delete(t.scheduled, rec.seq)
		t.account.release(rec)
		t.lastSeq++
		active = append(active, arrival{msg: rec.msg, enqueuedSeq: t.lastSeq, ttl: t.ttl})
	}
	t.publishLocked(active, now)
	t.armLocked()
}

// Cancel takes back scheduled messages by the numbers that Schedule returned. If one is no longer there, nothing is
// cancelled and the code is [CodeMessageNotFound].
func (t *Target) Cancel(numbers []int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return t.closed
	}
	t.life.used(t.broker.now())
	find := func(seq int64) *record { return t.scheduled[seq] }
	remove := func(rec *record) {
		t.deadlines.remove(rec)
		delete(t.scheduled, rec.seq)
		t.account.release(rec)
	}
	if s := t.queue; s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		find, remove = s.log.find, s.removeLocked
	}
	records := make(map[int64]*record, len(numbers))
	for _, seq := range numbers {
		rec := find(seq)
		if rec == nil || rec.place != scheduled {
			return errorf(CodeMessageNotFound, "Failed to find scheduled message with sequence number %d.", seq)
		}
		records[seq] = rec
	}
	for _, rec := range records {
		remove(rec)
	}
	return nil
}

func (t *Target) hasScheduled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.scheduled) > 0
}

// evaluationsLocked is how many filters one message is held against.
func (t *Target) evaluationsLocked() int {
	n := 0
	for _, sub := range t.subscriptions {
		n += int(sub.ruleCount.Load())
	}
	return n
}

// change applies new limits and tells the senders.
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

// duplicates remembers message ids for a while.
type duplicates struct {
	window time.Duration
	seen   map[string]struct{}
	order  []seenID
}

type seenID struct {
	id string
	at int64
}

// drop returns the arrivals whose ids were not seen within the window, and remembers them.
func (d *duplicates) drop(arrivals []arrival, now int64) []arrival {
	expired := 0
	for expired < len(d.order) && d.order[expired].at <= now-int64(d.window) {
		delete(d.seen, d.order[expired].id)
		expired++
	}
	d.order = d.order[expired:]
	fresh := make([]arrival, 0, len(arrivals))
	for _, a := range arrivals {
		if id := a.msg.ID; id != "" {
			if _, twice := d.seen[id]; twice {
				continue
			}
			d.seen[id] = struct{}{}
			d.order = append(d.order, seenID{id, now})
		}
		fresh = append(fresh, a)
	}
	return fresh
}
