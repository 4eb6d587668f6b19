package broker

// CreateTopic adds a topic. The error's code is [CodeAlreadyExists] if a queue or topic has the name.
func (b *Broker) CreateTopic(d TopicDescription) error {
	if err := b.checkTopic(&d); err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.checkNewEntityLocked(d.Name); err != nil {
		return err
	}
	if err := multiplyByPartitions(d.EnablePartitioning, &d.MaxSizeInMegabytes); err != nil {
		return err
	}
	c.topic(b.addTopicLocked(d, c.newID()))
	return nil
}

// addTopicLocked adds a topic that was checked. id is its number in the journal.
func (b *Broker) addTopicLocked(d TopicDescription, id uint64) *topic {
	t := &topic{description: d, subs: make(map[string]*subscription)}
	t.activity = newActivity(nil, b.now)
	t.target = &Target{
		broker: b, id: id, path: d.Name, kind: "Topic", size: &sizeCounter{}, activity: t.activity,
		senders: make(map[*Sender]struct{}),
	}
	t.target.lastSeq = topicSeqOffset
	if d.RequiresDuplicateDetection {
		t.target.duplicates = &duplicates{window: d.DuplicateDetectionHistoryTimeWindow,
			seen: make(map[string]struct{})}
	}
	t.applyLocked(nil)
	t.activity.begin(d.AutoDeleteOnIdle, t.target.hasScheduled, func() { _ = b.deleteTopic(d.Name, t) })
	b.topics[entityKey(d.Name)] = t
	return t
}

func (t *topic) applyLocked(why *Error) {
	d := t.description
	t.target.change(d.Status, int64(d.MaxSizeInMegabytes)<<20, d.MaxMessageSizeInKilobytes<<10,
		d.DefaultMessageTimeToLive, why)
}

// UpdateTopic changes a topic, which detaches its senders, and the receivers of its subscriptions if they can no longer
// receive.
func (b *Broker) UpdateTopic(d TopicDescription) error {
	if err := b.checkTopic(&d); err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	t := b.topics[entityKey(d.Name)]
	if t == nil {
		return errNotFound(d.Name)
	}
	was := t.description
	switch {
	case d.RequiresDuplicateDetection != was.RequiresDuplicateDetection:
		return errorf(CodeInvalidArgument,
			"The value for the RequiresDuplicateDetection property of an existing Topic cannot be changed")
	case d.EnablePartitioning != was.EnablePartitioning:
		return errorf(CodeInvalidArgument, "Partitioning cannot be changed for Topic. ")
	}
	d.Name = was.Name
	t.changeLocked(d)
	t.activity.change(d.AutoDeleteOnIdle)
	c.topic(t)
	return nil
}

// changeLocked gives a topic another description that was checked.
func (t *topic) changeLocked(d TopicDescription) {
	was := t.description
	t.description = d
	t.target.setWindow(d.DuplicateDetectionHistoryTimeWindow)
	t.applyLocked(errUpdated(d.Name))
	for _, sub := range t.subs {
		if own := sub.description.Status; own.under(d.Status) != own.under(was.Status) {
			sub.applyLocked(t, errUpdated(d.Name))
		}
	}
}

// DeleteTopic removes a topic with its subscriptions.
func (b *Broker) DeleteTopic(name string) error { return b.deleteTopic(name, nil) }

func (b *Broker) deleteTopic(name string, only *topic) error {
	var freed int64
	defer func() { returnMemory(freed) }()
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(name)]
	if t == nil || only != nil && t != only {
		return errNotFound(name)
	}
	delete(b.topics, entityKey(name))
	freed = t.target.size.used.Load()
	c.deleted(t.target.id)
	t.closeLocked()
	return nil
}

func (t *topic) closeLocked() {
	t.activity.end()
	t.target.close(errDeleted(t.description.Name))
	for _, sub := range t.subs {
		sub.closeLocked()
	}
}

// Topic returns a snapshot of a topic with its counts.
func (b *Broker) Topic(name string) (TopicInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(name)]
	if t == nil {
		return TopicInfo{}, errNotFound(name)
	}
	return t.infoLocked(), nil
}

// Topics returns all topics, sorted by name.
func (b *Broker) Topics() []TopicInfo {
	b.mu.Lock()
	defer b.mu.Unlock()
	infos := make([]TopicInfo, 0, len(b.topics))
	for _, key := range sortedKeys(b.topics) {
		infos = append(infos, b.topics[key].infoLocked())
	}
	return infos
}

func (t *topic) infoLocked() TopicInfo {
	info := TopicInfo{
		TopicDescription: t.description, Times: t.activity.times(), Subscriptions: len(t.subs),
		SQLFilters: t.sqlFilters, CorrelationFilters: t.correlationFilters,
	}
	t.target.mu.Lock()
	defer t.target.mu.Unlock()
	info.Counts.Scheduled = int64(len(t.target.scheduled))
	info.Bytes = t.target.size.used.Load()
	return info
}
