package management

import (
	"io"
	"net/http"
	"strings"

	"chatapp/internal/emulator/broker"
)

func (r *request) serveSubscription(body io.Reader) (answer, error) {
	b, topic, name := r.broker(), r.place.entity, r.place.subscription
	switch r.Method {
	case http.MethodGet:
		return r.subscription(http.StatusOK)
	case http.MethodDelete:
		return answer{status: http.StatusOK, contentType: entryType}, b.DeleteSubscription(topic, name)
	case http.MethodPut:
		content, err := readEntry(body)
		if err != nil {
			return answer{}, err
		}
		if content.Subscription == nil {
			return answer{}, badRequest("The body of the request contains no SubscriptionDescription.")
		}
		d, err := content.Subscription.description(topic, name)
		if err != nil {
			return answer{}, err
		}
		if r.updates() {
			if err := b.UpdateSubscription(d); err != nil {
				return answer{}, err
			}
			return r.subscription(http.StatusOK)
		}
		if err := b.CreateSubscription(d); err != nil {
			return answer{}, err
		}
		return r.subscription(http.StatusCreated)
	}
	return answer{}, errMethod
}

func (r *request) subscription(status int) (answer, error) {
	info, err := r.broker().Subscription(r.place.entity, r.place.subscription)
	if err != nil {
		return answer{}, err
	}
	return r.one(status, r.subscriptionEntry(info)), nil
}

func (r *request) listSubscriptions() (answer, error) {
	if r.Method != http.MethodGet {
		return answer{}, errMethod
	}
	subscriptions, err := r.broker().Subscriptions(r.place.entity)
	if err != nil {
		return answer{}, err
	}
	from, to, next, err := r.page(len(subscriptions))
	if err != nil {
		return answer{}, err
	}
	var entries []entry
	for _, info := range subscriptions[from:to] {
		entries = append(entries, r.subscriptionEntry(info))
	}
	return r.feed("Subscriptions", r.place.entity+"/Subscriptions", entries, next), nil
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
