package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// Properties of what is created, as Service Bus writes durations.
const (
	timeToLive       = "PT10M" // an instance that has not read for so long joins anew by snapshot
	lockDuration     = "PT30S"
	autoDeleteOnIdle = "PT5M" // the shortest there is
	maxDeliveryCount = 2000   // the most there is: what comes again is no poison here
	topicMegabytes   = 1024
	// metadata marks the subscriptions that instances made for themselves.
	metadata = "chatapp instance"
)

// TopicError is a topic that exists and cannot be used, for a reason that waiting does not change.
type TopicError struct {
	Topic  string
	Reason string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %q cannot be used: %s", e.Topic, e.Reason)
}

// ensureTopic checks the topic, and creates it where it is missing.
func (b *Bus) ensureTopic(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	found, err := b.admin.GetTopic(ctx, b.options.Topic, nil)
	if err != nil {
		return fmt.Errorf("look for topic %q: %w", b.options.Topic, err)
	}
	if found != nil {
		return checkTopic(b.options.Topic, found.TopicProperties)
	}
	b.meter.manages.Add(1)
	_, err = b.admin.CreateTopic(ctx, b.options.Topic, &admin.CreateTopicOptions{Properties: &admin.TopicProperties{
		SupportOrdering:          new(true),
		EnablePartitioning:       new(false),
		DefaultMessageTimeToLive: new(timeToLive),
		MaxSizeInMegabytes:       new(int32(topicMegabytes)),
		EnableBatchedOperations:  new(true),
	}})
	if status(err) == http.StatusConflict { // another instance was first
		return fmt.Errorf("topic %q was created meanwhile: %w", b.options.Topic, errAgain)
	}
	if err != nil {
		return fmt.Errorf("create topic %q: %w", b.options.Topic, err)
	}
	b.options.Logger.Info("topic created", "topic", b.options.Topic)
	return nil
}

// errAgain asks for another try at once.
var errAgain = errors.New("try again")

func checkTopic(name string, p admin.TopicProperties) error {
	switch {
	case p.EnablePartitioning != nil && *p.EnablePartitioning:
		return &TopicError{name, "it is partitioned, so its messages have no order; create it with EnablePartitioning=false"}
	case p.SupportOrdering != nil && !*p.SupportOrdering:
		return &TopicError{name, "it does not keep order; create it with SupportOrdering=true"}
	case p.RequiresDuplicateDetection != nil && *p.RequiresDuplicateDetection:
		return &TopicError{name, "it detects duplicates, and would drop messages silently; create it with RequiresDuplicateDetection=false"}
	}
	return nil
}

// subscribe makes the own subscription. One that is there already is the instance's, too: the answer to an earlier call was lost, which the
// SDK then makes again by itself.
func (b *Bus) subscribe(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	_, err := b.admin.CreateSubscription(ctx, b.options.Topic, b.instance, &admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{
		LockDuration:             new(lockDuration),
		DefaultMessageTimeToLive: new(timeToLive),
		MaxDeliveryCount:         new(int32(maxDeliveryCount)),
		AutoDeleteOnIdle:         new(autoDeleteOnIdle),
		EnableBatchedOperations:  new(true),
		UserMetadata:             new(metadata),
		DefaultRule: &admin.RuleProperties{
			Name: "addressed",
			// An absent property is unknown, and unknown is not true: it must be asked for.
			Filter: &admin.SQLFilter{Expression: fmt.Sprintf(`%[1]s IS NULL OR %[1]s = '%[2]s'`, `"`+addressee+`"`, b.instance)},
		},
	}})
	if code := status(err); code < 400 || code >= 500 || code == http.StatusConflict {
		b.mu.Lock()
		b.remains = true
		b.mu.Unlock()
	}
	switch {
	case err == nil:
		b.meter.subscribed.Add(1)
	case status(err) != http.StatusConflict:
		return fmt.Errorf("create subscription %q of topic %q: %w", b.instance, b.options.Topic, err)
	}
	b.sequence.restart()
	return nil
}

// Evict removes the subscription of an instance. That it is gone already is no error. One made beforehand is nobody's to remove.
func (b *Bus) Evict(parent context.Context, instance string) error {
	if !b.own {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	_, err := b.admin.DeleteSubscription(ctx, b.options.Topic, instance, nil)
	if err != nil && status(err) != http.StatusNotFound {
		return fmt.Errorf("delete subscription %q of topic %q: %w", instance, b.options.Topic, err)
	}
	return nil
}

// Alone tells whether this instance's is the only subscription of the topic.
func (b *Bus) Alone(parent context.Context) (bool, error) {
	if !b.own {
		return false, nil
	}
	names, err := b.subscriptions(parent)
	if err != nil {
		return false, err
	}
	return len(names) == 1 && names[0].name == b.instance, nil
}

// subscription is one of the topic's.
type subscription struct {
	name string
	ours bool // an instance made it for itself
}

func (b *Bus) subscriptions(parent context.Context) ([]subscription, error) {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	var all []subscription
	pager := b.admin.NewListSubscriptionsPager(b.options.Topic, nil)
	for pager.More() {
		b.meter.manages.Add(1)
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list subscriptions of topic %q: %w", b.options.Topic, err)
		}
		for _, s := range page.Subscriptions {
			all = append(all, subscription{s.SubscriptionName, s.UserMetadata != nil && *s.UserMetadata == metadata})
		}
	}
	return all, nil
}

// status is the HTTP status that management answered with, or 0.
func status(err error) int {
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

// Sweep removes subscriptions that instances have made for themselves and that no living one has: those left by a cluster that died as
// a whole, which nobody has evicted. One is removed only when it was without an instance in two sweeps on end, since its instance may
// be about to join; sweeps should be further apart than joining takes. It returns how many it removed. Where subscriptions are made
// beforehand it does nothing.
func (j *Janitor) Sweep(ctx context.Context, members []string) (int, error) {
	if !j.bus.own {
		return 0, nil
	}
	all, err := j.bus.subscriptions(ctx)
	if err != nil {
		return 0, err
	}
	living := make(map[string]bool)
	for _, member := range members {
		living[member] = true
	}
	suspects := make(map[string]bool)
	removed := 0
	for _, s := range all {
		switch {
		case !s.ours || living[s.name] || s.name == j.bus.instance:
		case !j.suspects[s.name]:
			suspects[s.name] = true
		default:
			if err := j.bus.Evict(ctx, s.name); err != nil {
				return removed, err
			}
			j.bus.meter.swept.Add(1)
			j.bus.options.Logger.Info("subscription without an instance removed", "subscription", s.name)
			removed++
		}
	}
	j.suspects = suspects
	return removed, nil
}

// Janitor looks for subscriptions that nobody has any more. It is used by one goroutine.
type Janitor struct {
	bus      *Bus
	suspects map[string]bool // of the last sweep
}

// Janitor makes the bus's janitor.
func (b *Bus) Janitor() *Janitor { return &Janitor{bus: b} }

// SweepEvery is a time between two sweeps that is longer than joining takes, and cheap: management calls count as operations.
const SweepEvery = 10 * time.Minute
