package broker

// CreateQueue adds a queue. The error's code is [CodeAlreadyExists] if a queue or topic has the name.
func (b *Broker) CreateQueue(d QueueDescription) error {
	if err := b.checkQueue(&d); err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.checkNewEntityLocked(d.Name); err != nil {
		return err
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	if err := multiplyByPartitions(d.EnablePartitioning, &d.MaxSizeInMegabytes); err != nil {
		return err
	}
	c.queue(b.addQueueLocked(d, c.newID()))
	return nil
}

// addQueueLocked adds a queue that was checked. id is its number in the journal.
func (b *Broker) addQueueLocked(d QueueDescription, id uint64) *queue {
	q := &queue{description: d}
	q.activity = newActivity(nil, b.now)
	size := &sizeCounter{}
	q.main = b.newSource(id, d.Name, size, q.activity)
	q.target = &Target{
		broker: b, id: id, path: d.Name, kind: "Queue", queue: q.main, size: size, activity: q.activity,
		sessions: d.RequiresSession,
		senders:  make(map[*Sender]struct{}),
	}
	if d.RequiresDuplicateDetection {
		q.target.duplicates = &duplicates{window: d.DuplicateDetectionHistoryTimeWindow,
			seen: make(map[string]struct{})}
	}
	q.applyLocked(nil)
	q.activity.begin(d.AutoDeleteOnIdle, func() bool { return q.main.count().Scheduled > 0 },
		func() { _ = b.deleteQueue(d.Name, q) })
	b.queues[entityKey(d.Name)] = q
	return q
}

// applyLocked applies the description to target and source, which detaches the links because of why.
func (q *queue) applyLocked(why *Error) {
	d := q.description
	q.target.change(d.Status, int64(d.MaxSizeInMegabytes)<<20, d.MaxMessageSizeInKilobytes<<10, Unlimited, why)
	q.main.changeAll(settings{
		lockDuration: d.LockDuration, ttl: d.DefaultMessageTimeToLive, maxDeliveryCount: d.MaxDeliveryCount,
		requiresSession: d.RequiresSession, deadLetterOnExpiry: d.DeadLetteringOnMessageExpiration, status: d.Status,
		forwardTo: destination(d.ForwardTo),
	}, destination(d.ForwardDeadLetteredMessagesTo), why)
}

// UpdateQueue changes a queue, which detaches its senders and receivers and ends its locks.
func (b *Broker) UpdateQueue(d QueueDescription) error {
	if err := b.checkQueue(&d); err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	q := b.queues[entityKey(d.Name)]
	if q == nil {
		return errNotFound(d.Name)
	}
	was := q.description
	switch {
	case d.RequiresSession != was.RequiresSession:
		return errorf(CodeInvalidArgument,
			"The value for the RequiresSession property of an existing Queue cannot be changed")
	case d.RequiresDuplicateDetection != was.RequiresDuplicateDetection:
		return errorf(CodeInvalidArgument,
			"The value for the RequiresDuplicateDetection property of an existing Queue cannot be changed")
	case d.EnablePartitioning != was.EnablePartitioning:
		return errorf(CodeInvalidArgument, "Partitioning cannot be changed for Queue. ")
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	d.Name = was.Name
	q.description = d
	q.target.setWindow(d.DuplicateDetectionHistoryTimeWindow)
	q.applyLocked(errUpdated(d.Name))
	q.activity.change(d.AutoDeleteOnIdle)
	c.queue(q)
	return nil
}

// DeleteQueue removes a queue with its messages.
func (b *Broker) DeleteQueue(name string) error { return b.deleteQueue(name, nil) }

// deleteQueue removes the queue with that name. If only is not nil, it spares a newer queue with the same name.
func (b *Broker) deleteQueue(name string, only *queue) error {
	var freed int64
	defer func() { returnMemory(freed) }()
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[entityKey(name)]
	if q == nil || only != nil && q != only {
		return errNotFound(name)
	}
	delete(b.queues, entityKey(name))
	freed = q.target.size.used.Load()
	c.deleted(q.target.id)
	q.closeLocked()
	return nil
}

func (q *queue) closeLocked() {
	why := errDeleted(q.description.Name)
	q.activity.end()
	q.target.close(why)
	q.main.closeAll(why)
}

// Queue returns a snapshot of a queue with its counts.
func (b *Broker) Queue(name string) (QueueInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[entityKey(name)]
	if q == nil {
		return QueueInfo{}, errNotFound(name)
	}
	return q.infoLocked(), nil
}

func (q *queue) infoLocked() QueueInfo {
	return QueueInfo{QueueDescription: q.description, Counts: q.main.countAll(), Times: q.activity.times()}
}

// Queues returns all queues, sorted by name.
func (b *Broker) Queues() []QueueInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]QueueInfo, 0, len(b.queues))
	for _, key := range sortedKeys(b.queues) {
		infos = append(infos, b.queues[key].infoLocked())
	}
	return infos
}
