package broker

import "slices"

// CreateSubscription adds a subscription with its default rule. It gets messages sent from now on.
func (b *Broker) CreateSubscription(d SubscriptionDescription) error {
	if err := b.checkSubscription(&d); err != nil {
		return err
	}
	first := RuleDescription{Name: DefaultRuleName, Filter: TrueFilter{}}
	if d.DefaultRule != nil {
		first = *d.DefaultRule
		if first.Name == "" {
			first.Name = DefaultRuleName
		}
	}
	compiled, err := compileRule(first)
	if err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	t := b.topics[entityKey(d.Topic)]
	switch {
	case t == nil:
		return errNotFound(d.Topic)
	case t.subs[entityKey(d.Name)] != nil:
		return errAlreadyExists(d.Topic + subscriptionsSegment + d.Name)
	case len(t.subs) >= b.options.MaxSubscriptions:
		return errorf(CodeQuotaExceeded, "The topic '%s' has reached the limit of %d subscriptions.", d.Topic,
			b.options.MaxSubscriptions)
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	d.Topic, d.DefaultRule = t.description.Name, nil
	sub := b.addSubscriptionLocked(t, d, c.newID())
	sub.activity.used(b.now())
	sub.main.mu.Lock()
	sub.rules = []*rule{compiled}
	sub.ruleCount.Store(1)
	sub.main.mu.Unlock()
	t.countRuleLocked(compiled, +1)
	c.subscription(sub)
	c.rule(sub, compiled)
	t.target.mu.Lock()
	t.target.subscriptions = append(t.target.subscriptions, sub)
	t.target.mu.Unlock()
	return nil
}

// addSubscriptionLocked adds a subscription that was checked, without rules. id is its number in the journal. The
// caller adds it to those that get messages.
func (b *Broker) addSubscriptionLocked(t *topic, d SubscriptionDescription, id uint64) *subscription {
	sub := &subscription{description: d, topic: t, id: id}
	sub.activity = newActivity(t.activity, b.now)
	sub.main = b.newSource(id, d.Topic+subscriptionsSegment+d.Name, t.target.size, sub.activity)
	sub.applyLocked(t, nil)
	// an error means that it was deleted already
	sub.activity.begin(d.AutoDeleteOnIdle, nil, func() { _ = b.deleteSubscription(d.Topic, d.Name, sub) })
	t.subs[entityKey(d.Name)] = sub
	return sub
}

// applyLocked applies the description, and the status of the topic, which detaches the receivers because of why.
func (sub *subscription) applyLocked(t *topic, why *Error) {
	d := sub.description
	sub.main.mu.Lock()
	sub.deadLetterFails = d.DeadLetteringOnFilterEvaluationExceptions
	sub.main.mu.Unlock()
	sub.main.changeAll(settings{
		lockDuration: d.LockDuration, ttl: d.DefaultMessageTimeToLive, maxDeliveryCount: d.MaxDeliveryCount,
		requiresSession: d.RequiresSession, deadLetterOnExpiry: d.DeadLetteringOnMessageExpiration,
		status: d.Status.under(t.description.Status), forwardTo: destination(d.ForwardTo),
	}, destination(d.ForwardDeadLetteredMessagesTo), why)
}

func (sub *subscription) closeLocked() {
	sub.activity.end()
	sub.main.closeAll(errDeleted(sub.main.path))
}

// UpdateSubscription changes a subscription, which detaches its receivers and ends its locks.
func (b *Broker) UpdateSubscription(d SubscriptionDescription) error {
	if err := b.checkSubscription(&d); err != nil {
		return err
	}
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	sub, err := b.subscriptionLocked(d.Topic, d.Name)
	if err != nil {
		return err
	}
	was := sub.description
	if d.RequiresSession != was.RequiresSession {
		return errorf(CodeInvalidArgument,
			"The value for the RequiresSession property of an existing Subscription cannot be changed")
	}
	if err := b.checkDestinationsLocked(d.ForwardTo, d.ForwardDeadLetteredMessagesTo); err != nil {
		return err
	}
	d.Topic, d.Name, d.DefaultRule = was.Topic, was.Name, nil
	sub.description = d
	sub.applyLocked(b.topics[entityKey(d.Topic)], errUpdated(sub.main.path))
	sub.activity.change(d.AutoDeleteOnIdle)
	c.subscription(sub)
	return nil
}

func (b *Broker) subscriptionLocked(topicName, name string) (*subscription, error) {
	t := b.topics[entityKey(topicName)]
	if t == nil {
		return nil, errNotFound(topicName)
	}
	sub := t.subs[entityKey(name)]
	if sub == nil {
		return nil, errNotFound(t.description.Name + subscriptionsSegment + name)
	}
	return sub, nil
}

// DeleteSubscription removes a subscription with its messages.
func (b *Broker) DeleteSubscription(topic, name string) error {
	return b.deleteSubscription(topic, name, nil)
}

func (b *Broker) deleteSubscription(topicName, name string, only *subscription) error {
	c := b.begin()
	defer c.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	sub, err := b.subscriptionLocked(topicName, name)
	if err != nil {
		return err
	}
	if only != nil && sub != only {
		return errNotFound(name)
	}
	sub.removeLocked()
	c.deleted(sub.id)
	return nil
}

// removeLocked removes a subscription from its topic.
func (sub *subscription) removeLocked() {
	t := sub.topic
	delete(t.subs, entityKey(sub.description.Name))
	for _, r := range sub.rules {
		t.countRuleLocked(r, -1)
	}
	t.target.mu.Lock()
	t.target.subscriptions = slices.DeleteFunc(t.target.subscriptions, func(s *subscription) bool { return s == sub })
	t.target.mu.Unlock()
	sub.closeLocked()
}

// Subscription returns a snapshot of a subscription with its counts.
func (b *Broker) Subscription(topic, name string) (SubscriptionInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub, err := b.subscriptionLocked(topic, name)
	if err != nil {
		return SubscriptionInfo{}, err
	}
	return sub.infoLocked(), nil
}

func (sub *subscription) infoLocked() SubscriptionInfo {
	return SubscriptionInfo{SubscriptionDescription: sub.description, Counts: sub.main.countAll(),
		Times: sub.activity.times()}
}

// Subscriptions returns all subscriptions of a topic, sorted by name.
func (b *Broker) Subscriptions(topic string) ([]SubscriptionInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.topics[entityKey(topic)]
	if t == nil {
		return nil, errNotFound(topic)
	}
	infos := make([]SubscriptionInfo, 0, len(t.subs))
	for _, key := range sortedKeys(t.subs) {
		infos = append(infos, t.subs[key].infoLocked())
	}
	return infos, nil
}
