package broker

import (
	"strings"
	"time"
)

// CreateQueue adds a queue. The error's code is [CodeAlreadyExists] if a queue or topic has the name.
func (b *Broker) CreateQueue(d QueueDescription) error {
	if err := b.checkQueue(&d); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admitLocked(d.Name); err != nil {
		return err
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	if err := partition(d.EnablePartitioning, &d.MaxSizeInMegabytes); err != nil {
		return err
	}
	q := &queue{description: d}
	q.life = newLife(nil, b.now)
	acc := &account{}
	q.main = b.newSource(d.Name, acc, q.life)
	q.target = &Target{
		broker: b, path: d.Name, kind: "Queue", queue: q.main, account: acc, life: q.life, sessions: d.RequiresSession,
		senders: make(map[*Sender]struct{}),
	}
	if d.RequiresDuplicateDetection {
		q.target.duplicates = &duplicates{window: d.DuplicateDetectionHistoryTimeWindow, seen: make(map[string]struct{})}
	}
	q.apply(nil)
	q.life.begin(d.AutoDeleteOnIdle, func() bool { return q.main.count().Scheduled > 0 }, func() { _ = b.deleteQueue(d.Name, q) })
	b.queues[entityKey(d.Name)] = q
	return nil
}

// apply gives the description's values to the parts.
func (q *queue) apply(why *Error) {
	d := q.description
	q.target.change(d.Status, int64(d.MaxSizeInMegabytes)<<20, d.MaxMessageSizeInKilobytes<<10, Unlimited, why)
	q.main.changeAll(settings{
		lockDuration: d.LockDuration, ttl: d.DefaultMessageTimeToLive, maxDeliveryCount: d.MaxDeliveryCount,
		requiresSession: d.RequiresSession, deadLetterOnExpiry: d.DeadLetteringOnMessageExpiration, status: d.Status,
		forwardTo: destination(d.ForwardTo),
	}, destination(d.ForwardDeadLetteredMessagesTo), why)
}

// newSource returns a source with its subqueues, without settings.
func (b *Broker) newSource(path string, acc *account, l *life) *Source {
	bare := func(path, parent string) *Source {
		return &Source{broker: b, path: path, parent: parent, account: acc, life: l, receivers: make(map[*Receiver]struct{})}
	}
	s := bare(path, "")
	s.deadLetters = bare(path+deadLetterQueue, path)
	s.transferDeadLetters = bare(path+transferDeadLetterQueue, path)
	s.deadLetters.transferDeadLetters = s.transferDeadLetters
	return s
}

// changeAll applies settings to a source and its subqueues.
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

func (b *Broker) admitLocked(name string) *Error {
	key := entityKey(name)
	switch {
	case b.closed:
		return errorf(CodeInternal, "The broker is closed.")
	case b.queues[key] != nil || b.topics[key] != nil:
		return errAlreadyExists(name)
	case len(b.queues)+len(b.topics) >= b.options.MaxEntities:
		return errorf(CodeQuotaExceeded, "The number of queues and topics has reached the limit of %d.", b.options.MaxEntities)
	}
	return nil
}

func errDeleted(path string) *Error {
	return errorf(CodeDetached, "The messaging entity '%s' was deleted.", path)
}

func errUpdated(path string) *Error {
	return errorf(CodeDetached, "The messaging entity '%s' was updated.", path)
}

// UpdateQueue changes a queue, which detaches its senders and receivers and ends its locks.
func (b *Broker) UpdateQueue(d QueueDescription) error {
	if err := b.checkQueue(&d); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[entityKey(d.Name)]
	if q == nil {
		return errNotFound(d.Name)
	}
	was := q.description
	switch {
	case d.RequiresSession != was.RequiresSession:
		return errorf(CodeInvalidArgument, "The value for the RequiresSession property of an existing Queue cannot be changed")
	case d.RequiresDuplicateDetection != was.RequiresDuplicateDetection:
		return errorf(CodeInvalidArgument, "The value for the RequiresDuplicateDetection property of an existing Queue cannot be changed")
	case d.EnablePartitioning != was.EnablePartitioning:
		return errorf(CodeInvalidArgument, "Partitioning cannot be changed for Queue. ")
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	d.Name = was.Name
	q.description = d
	q.target.setWindow(d.DuplicateDetectionHistoryTimeWindow)
	q.apply(errUpdated(d.Name))
	q.life.change(d.AutoDeleteOnIdle)
	return nil
}

func (t *Target) setWindow(window time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.duplicates != nil {
		t.duplicates.window = window
	}
}

// DeleteQueue removes a queue with its messages.
func (b *Broker) DeleteQueue(name string) error { return b.deleteQueue(name, nil) }

// deleteQueue removes the queue of that name; if only is not nil, only that one and not another made meanwhile.
func (b *Broker) deleteQueue(name string, only *queue) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[entityKey(name)]
	if q == nil || only != nil && q != only {
		return errNotFound(name)
	}
	delete(b.queues, entityKey(name))
	q.close()
	return nil
}

func (q *queue) close() {
	why := errDeleted(q.description.Name)
	q.life.end()
	q.target.close(why)
	q.main.closeAll(why)
}

// Queue returns a queue with its state.
func (b *Broker) Queue(name string) (QueueInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[entityKey(name)]
	if q == nil {
		return QueueInfo{}, errNotFound(name)
	}
	return q.info(), nil
}

func (q *queue) info() QueueInfo {
	return QueueInfo{QueueDescription: q.description, Counts: q.main.countAll(), Times: q.life.times()}
}

// Queues returns all queues, by name.
func (b *Broker) Queues() []QueueInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]QueueInfo, 0, len(b.queues))
	for _, key := range sortedKeys(b.queues) {
		infos = append(infos, b.queues[key].info())
	}
	return infos
}

// countAll counts a source with its subqueues.
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

// CreateTopic adds a topic. The error's code is [CodeAlreadyExists] if a queue or topic has the name.
func (b *Broker) CreateTopic(d TopicDescription) error {
	if err := b.checkTopic(&d); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.admitLocked(d.Name); err != nil {
		return err
	}
	if err := partition(d.EnablePartitioning, &d.MaxSizeInMegabytes); err != nil {
		return err
	}
	t := &topic{description: d, subs: make(map[string]*subscription)}
	t.life = newLife(nil, b.now)
	t.target = &Target{
		broker: b, path: d.Name, kind: "Topic", account: &account{}, life: t.life, senders: make(map[*Sender]struct{}),
	}
	t.target.lastSeq = topicSeqOffset
	if d.RequiresDuplicateDetection {
		t.target.duplicates = &duplicates{window: d.DuplicateDetectionHistoryTimeWindow, seen: make(map[string]struct{})}
	}
	t.apply(nil)
	t.life.begin(d.AutoDeleteOnIdle, t.target.hasScheduled, func() { _ = b.deleteTopic(d.Name, t) })
	b.topics[entityKey(d.Name)] = t
	return nil
}

func (t *topic) apply(why *Error) {
	d := t.description
	t.target.change(d.Status, int64(d.MaxSizeInMegabytes)<<20, d.MaxMessageSizeInKilobytes<<10, d.DefaultMessageTimeToLive, why)
}

// UpdateTopic changes a topic, which detaches its senders.
func (b *Broker) UpdateTopic(d TopicDescription) error {
	if err := b.checkTopic(&d); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(d.Name)]
	if t == nil {
		return errNotFound(d.Name)
	}
	was := t.description
	switch {
	case d.RequiresDuplicateDetection != was.RequiresDuplicateDetection:
		return errorf(CodeInvalidArgument, "The value for the RequiresDuplicateDetection property of an existing Topic cannot be changed")
	case d.EnablePartitioning != was.EnablePartitioning:
		return errorf(CodeInvalidArgument, "Partitioning cannot be changed for Topic. ")
	}
	d.Name = was.Name
	t.description = d
	t.target.setWindow(d.DuplicateDetectionHistoryTimeWindow)
	t.apply(errUpdated(d.Name))
	t.life.change(d.AutoDeleteOnIdle)
	return nil
}

// DeleteTopic removes a topic with its subscriptions.
func (b *Broker) DeleteTopic(name string) error { return b.deleteTopic(name, nil) }

func (b *Broker) deleteTopic(name string, only *topic) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(name)]
	if t == nil || only != nil && t != only {
		return errNotFound(name)
	}
	delete(b.topics, entityKey(name))
	t.close()
	return nil
}

func (t *topic) close() {
	t.life.end()
	t.target.close(errDeleted(t.description.Name))
	for _, sub := range t.subs {
		sub.close()
	}
}

// Topic returns a topic with its state.
func (b *Broker) Topic(name string) (TopicInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(name)]
	if t == nil {
		return TopicInfo{}, errNotFound(name)
	}
	return t.info(), nil
}

// Topics returns all topics, by name.
func (b *Broker) Topics() []TopicInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]TopicInfo, 0, len(b.topics))
	for _, key := range sortedKeys(b.topics) {
		infos = append(infos, b.topics[key].info())
	}
	return infos
}

func (t *topic) info() TopicInfo {
	info := TopicInfo{
		TopicDescription: t.description, Times: t.life.times(), Subscriptions: len(t.subs),
		SQLFilters: t.sqlFilters, CorrelationFilters: t.correlationFilters,
	}
	t.target.mu.Lock()
	defer t.target.mu.Unlock()
	info.Counts.Scheduled = int64(len(t.target.scheduled))
	info.Bytes = t.target.account.used.Load()
	return info
}

func checkName(kind, name string, limit int) *Error {
	switch {
	case name == "":
		return errorf(CodeInvalidArgument, "The %s has no name.", kind)
	case len(name) > limit:
		return errorf(CodeInvalidArgument, "The name of the %s '%s' exceeds the limit of %d characters.", kind, name, limit)
	case strings.ContainsAny(name, `\?#*<>&"'`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errorf(CodeInvalidArgument, "'%s' contains character(s) that is not allowed by Service Bus. "+
			"Entity segments can contain only letters, numbers, periods (.), hyphens (-), and underscores (_).", name)
	}
	return nil
}
