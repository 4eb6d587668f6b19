package management

import (
	"strings"

	"chatapp/internal/emulator/broker"
)

func (r *request) subscriptions() *collection[broker.SubscriptionDescription, broker.SubscriptionInfo] {
	b, topic := r.broker(), r.resource.entity
	return &collection[broker.SubscriptionDescription, broker.SubscriptionInfo]{
		title: "Subscriptions", path: topic + "/Subscriptions",
		describe: func(c content) (d broker.SubscriptionDescription, name string, err error) {
			if c.Subscription == nil {
				return d, "", badRequest("The body of the request contains no SubscriptionDescription.")
			}
			d, err = c.Subscription.description(topic, r.resource.subscription)
			return d, d.Name, err
		},
		create: b.CreateSubscription, update: b.UpdateSubscription,
		remove: func(name string) error { return b.DeleteSubscription(topic, name) },
		find:   func(name string) (broker.SubscriptionInfo, error) { return b.Subscription(topic, name) },
		all:    func() ([]broker.SubscriptionInfo, error) { return b.Subscriptions(topic) },
		entry:  r.subscriptionEntry,
	}
}

func (x *subscriptionXML) description(topic, name string) (broker.SubscriptionDescription, error) {
	d := broker.DefaultSubscription(topic, name)
	setDuration(&d.LockDuration, x.LockDuration)
	d.RequiresSession = x.RequiresSession
	setDuration(&d.DefaultMessageTimeToLive, x.DefaultMessageTimeToLive)
	d.DeadLetteringOnMessageExpiration = x.DeadLetteringOnMessageExpiration
	set(&d.DeadLetteringOnFilterEvaluationExceptions, x.DeadLetteringOnFilterEvaluationExceptions)
	set(&d.MaxDeliveryCount, explicit(x.MaxDeliveryCount))
	set(&d.EnableBatchedOperations, x.EnableBatchedOperations)
	d.ForwardTo = strings.TrimSpace(x.ForwardTo)
	d.UserMetadata = x.UserMetadata
	d.ForwardDeadLetteredMessagesTo = strings.TrimSpace(x.ForwardDeadLetteredMessagesTo)
	setDuration(&d.AutoDeleteOnIdle, x.AutoDeleteOnIdle)
	var err error
	if d.Status, err = parseStatus(x.Status); err != nil {
		return d, err
	}
	if x.DefaultRuleDescription != nil {
		rule, err := x.DefaultRuleDescription.description()
		if err != nil {
			return d, err
		}
		d.DefaultRule = &rule
	}
	return d, nil
}

func (r *request) subscriptionEntry(s broker.SubscriptionInfo) entry {
	path := s.Topic + "/Subscriptions/" + s.Name
	return entry{path, s.Name, s.CreatedAt, s.UpdatedAt, describe("SubscriptionDescription", func(w *writer) {
		w.duration("LockDuration", s.LockDuration)
		w.boolean("RequiresSession", s.RequiresSession)
		w.duration("DefaultMessageTimeToLive", s.DefaultMessageTimeToLive)
		w.boolean("DeadLetteringOnMessageExpiration", s.DeadLetteringOnMessageExpiration)
		w.boolean("DeadLetteringOnFilterEvaluationExceptions", s.DeadLetteringOnFilterEvaluationExceptions)
		w.number("MessageCount", s.Counts.Total)
		w.number("MaxDeliveryCount", int64(s.MaxDeliveryCount))
		w.boolean("EnableBatchedOperations", s.EnableBatchedOperations)
		w.text("Status", s.Status.String())
		r.forward(w, "ForwardTo", s.ForwardTo)
		w.times(s.Times)
		w.optional("UserMetadata", s.UserMetadata)
		w.counts(s.Counts)
		r.forward(w, "ForwardDeadLetteredMessagesTo", s.ForwardDeadLetteredMessagesTo)
		w.duration("AutoDeleteOnIdle", s.AutoDeleteOnIdle)
		w.text("EntityAvailabilityStatus", "Available")
	})}
}
