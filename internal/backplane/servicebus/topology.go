package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/backplane"
)

// Properties of the topic and the subscriptions, with durations in ISO 8601 as Service Bus writes them.
const (
	timeToLive       = "PT10M" // in a subscription: an instance that has not read for longer joins again by snapshot
	lockDuration     = "PT30S"
	autoDeleteOnIdle = "PT5M" // the minimum
	maxDeliveryCount = 2000   // the maximum: repeated deliveries are normal here
	topicMegabytes   = 5120   // the most without partitions: the archive keeps what a store that is down lacks
	// metadata marks subscriptions that instances have created for themselves.
	metadata = "chatapp instance"
)

// TopicError is an existing topic that can't be used, for a reason that waiting does not change.
type TopicError struct {
	Topic  string
	Reason string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %q cannot be used: %s", e.Topic, e.Reason)
}

// ensureTopic checks the topic, and creates it if it is missing.
func (b *Bus) ensureTopic(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	found, err := b.admin.GetTopic(ctx, b.options.Topic, nil)
	if err != nil {
		return fmt.Errorf("look for topic %q: %w", b.options.Topic, err)
	}
	if found != nil {
		err := checkTopic(b.options.Topic, found.TopicProperties)
		if err == nil && b.options.Archive {
			if err = b.lengthen(ctx, found.TopicProperties); err == nil {
				b.enlarge(ctx, found.TopicProperties)
			}
		}
		return err
	}
	b.meter.manages.Add(1)
	_, err = b.admin.CreateTopic(ctx, b.options.Topic, &admin.CreateTopicOptions{Properties: &admin.TopicProperties{
		SupportOrdering:         new(true),
		EnablePartitioning:      new(false),
		MaxSizeInMegabytes:      new(int32(topicMegabytes)),
		EnableBatchedOperations: new(true),
	}})
	if status(err) == http.StatusConflict { // another instance has just created it
		return fmt.Errorf("topic %q has just been created: %w", b.options.Topic, errRetry)
	}
	if err != nil {
		return fmt.Errorf("create topic %q: %w", b.options.Topic, err)
	}
	b.options.Logger.Info("topic created", "topic", b.options.Topic)
	return nil
}

// errRetry asks for another try at once.
var errRetry = errors.New("try again")

func checkTopic(name string, p admin.TopicProperties) error {
	switch {
	case p.EnablePartitioning != nil && *p.EnablePartitioning:
		return &TopicError{name, "it is partitioned, so its messages have no order; " +
			"create it with EnablePartitioning=false"}
	case p.SupportOrdering != nil && !*p.SupportOrdering:
		return &TopicError{name, "it does not keep order; create it with SupportOrdering=true"}
	case p.RequiresDuplicateDetection != nil && *p.RequiresDuplicateDetection:
		return &TopicError{name, "it detects duplicates, and would drop messages silently; " +
			"create it with RequiresDuplicateDetection=false"}
	}
	return nil
}

// subscribe creates the instance's own subscription. If it exists, it is the instance's too: the
// answer to an earlier creation was lost, and the SDK or the caller has repeated the request.
func (b *Bus) subscribe(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	properties := &admin.SubscriptionProperties{
		LockDuration:             new(lockDuration),
		DefaultMessageTimeToLive: new(timeToLive),
		MaxDeliveryCount:         new(int32(maxDeliveryCount)),
		AutoDeleteOnIdle:         new(autoDeleteOnIdle),
		EnableBatchedOperations:  new(true),
		UserMetadata:             new(metadata),
		DefaultRule: &admin.RuleProperties{
			Name: "addressed",
			// A comparison with a missing property is unknown, which does not match: hence IS NULL. That an
			// underscore in the name matches any character lets through a little more than bodyFor does.
			Filter: &admin.SQLFilter{
				Expression: fmt.Sprintf(`%[1]s IS NULL OR %[1]s = '%[2]s' OR %[1]s LIKE '%%%[3]s%[2]s%[3]s%%'`,
					`"`+addressee+`"`, b.instance, addresseeSeparator),
			},
		},
	}
	_, err := b.admin.CreateSubscription(ctx, b.options.Topic, b.instance,
		&admin.CreateSubscriptionOptions{Properties: properties})
	if code := status(err); code < 400 || code >= 500 || code == http.StatusConflict {
		b.mu.Lock()
		b.mayRemain = true
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

// Evict removes the subscription of an instance. A missing one is no error. With an existing
// subscription that was given, it does nothing.
func (b *Bus) Evict(parent context.Context, instance string) error {
	if !b.ownSubscription {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	_, err := b.admin.DeleteSubscription(ctx, b.options.Topic, instance, nil)
	if err != nil && status(err) != http.StatusNotFound {
		return forbidden(fmt.Errorf("delete subscription %q of topic %q: %w", instance, b.options.Topic, err))
	}
	return nil
}

// Alone reports whether this instance's subscription is the topic's only one.
func (b *Bus) Alone(parent context.Context) (bool, error) {
	if !b.ownSubscription {
		return false, nil
	}
	names, err := b.subscriptions(parent)
	if err != nil {
		return false, err
	}
	return len(names) == 1 && names[0].name == b.instance, nil
}

// Subscriptions lists the topic's subscriptions with the number of messages that each holds. Those that instances have
// not created for themselves have no instance. With an existing subscription that was given it returns
// backplane.ErrForbidden.
func (b *Bus) Subscriptions(parent context.Context) ([]backplane.Subscription, error) {
	if !b.ownSubscription {
		return nil, fmt.Errorf("with a subscription that was given: %w", backplane.ErrForbidden)
	}
	names, err := b.subscriptions(parent)
	if err != nil {
		return nil, forbidden(err)
	}
	unread, err := b.unread(parent)
	if err != nil {
		return nil, forbidden(err)
	}
	all := make([]backplane.Subscription, 0, len(names))
	for _, s := range names {
		count, ok := unread[s.name]
		switch {
		case !ok: // it was removed in between
		case s.ours:
			all = append(all, backplane.Subscription{Instance: s.name, Unread: count})
		default:
			all = append(all, backplane.Subscription{Unread: count})
		}
	}
	return all, nil
}

// unread returns how many messages each subscription of the topic holds, locked ones included.
func (b *Bus) unread(parent context.Context) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	counts := make(map[string]int64)
	pager := b.admin.NewListSubscriptionsRuntimePropertiesPager(b.options.Topic, nil)
	for pager.More() {
		b.meter.manages.Add(1)
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("count messages of topic %q: %w", b.options.Topic, err)
		}
		for _, s := range page.SubscriptionRuntimeProperties {
			counts[s.SubscriptionName] = int64(s.ActiveMessageCount)
		}
	}
	return counts, nil
}

// forbidden adds backplane.ErrForbidden to an error that says so.
func forbidden(err error) error {
	if code := status(err); code == http.StatusUnauthorized || code == http.StatusForbidden {
		return fmt.Errorf("%w: %w", backplane.ErrForbidden, err)
	}
	return err
}

// subscription is a subscription of the topic.
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
			if s.SubscriptionName == archive {
				continue // no instance's
			}
			all = append(all, subscription{s.SubscriptionName, s.UserMetadata != nil && *s.UserMetadata == metadata})
		}
	}
	return all, nil
}

// status returns the HTTP status of a management response, or 0.
func status(err error) int {
	var response *azcore.ResponseError
	if errors.As(err, &response) {
		return response.StatusCode
	}
	return 0
}

// Sweep removes orphaned subscriptions: those that instances created for themselves and that no
// member has. They remain when a whole cluster dies and nobody evicts its instances. A subscription
// is removed only if it was orphaned in two consecutive sweeps, since its instance may be about to
// join; sweeps should be further apart than joining takes. Sweep returns how many it removed. With
// an existing subscription that was given, it does nothing.
func (j *Janitor) Sweep(ctx context.Context, members []string) (int, error) {
	if !j.bus.ownSubscription {
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
	candidates := make(map[string]bool)
	removed := 0
	for _, s := range all {
		switch {
		case !s.ours || living[s.name] || s.name == j.bus.instance:
		case !j.candidates[s.name]:
			candidates[s.name] = true
		default:
			if err := j.bus.Evict(ctx, s.name); err != nil {
				return removed, err
			}
			j.bus.meter.swept.Add(1)
			j.bus.options.Logger.Info("orphaned subscription removed", "subscription", s.name)
			removed++
		}
	}
	j.candidates = candidates
	return removed, nil
}

// Janitor finds orphaned subscriptions. It is for one goroutine.
type Janitor struct {
	bus        *Bus
	candidates map[string]bool // orphaned at the last sweep
}

// Janitor returns a janitor that has not swept yet.
func (b *Bus) Janitor() *Janitor { return &Janitor{bus: b} }

// SweepEvery is an interval between sweeps that is longer than joining takes. Each sweep costs
// management calls, which Service Bus counts as operations.
const SweepEvery = 10 * time.Minute
