package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// archive is the name of the subscription that keeps what is published to all until it is stored. No instance owns it:
// it outlives them.
const archive = "archive"

const (
	// archiveMetadata is the archive's UserMetadata. It differs from that of instances' subscriptions.
	archiveMetadata = "chatapp archive"
	// unlimited is the time-to-live that Service Bus gives what has none.
	unlimited = "P10675199DT2H48M5.4775807S"
)

// errNoArchive is returned where the archive is used and Options.Archive is not set.
var errNoArchive = errors.New("service bus: this instance has no archive")

// ensureArchive creates the archive's subscription unless it exists.
func (b *Bus) ensureArchive(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	properties := &admin.SubscriptionProperties{
		LockDuration:            new(lockDuration),
		MaxDeliveryCount:        new(int32(maxDeliveryCount)),
		EnableBatchedOperations: new(true),
		UserMetadata:            new(archiveMetadata),
		DefaultRule: &admin.RuleProperties{
			Name:   "to-all",
			Filter: &admin.SQLFilter{Expression: `"` + addressee + `" IS NULL`},
		},
	}
	_, err := b.admin.CreateSubscription(ctx, b.options.Topic, archive,
		&admin.CreateSubscriptionOptions{Properties: properties})
	if err != nil && status(err) != http.StatusConflict {
		return fmt.Errorf("create subscription %q of topic %q: %w", archive, b.options.Topic, err)
	}
	return nil
}

// lengthen has the topic's messages live as long as their subscriptions let them: a topic's time-to-live bounds that of
// all its subscriptions. The instances' own ones keep a short one.
func (b *Bus) lengthen(ctx context.Context, p admin.TopicProperties) error {
	if p.DefaultMessageTimeToLive == nil || *p.DefaultMessageTimeToLive == unlimited {
		return nil
	}
	before := *p.DefaultMessageTimeToLive
	p.DefaultMessageTimeToLive = new(unlimited)
	b.meter.manages.Add(1)
	_, err := b.admin.UpdateTopic(ctx, b.options.Topic, p, nil)
	switch code := status(err); {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &TopicError{b.options.Topic, "its messages expire after " + before +
			", so that an archive loses them; create it without DefaultMessageTimeToLive"}
	case err != nil:
		return fmt.Errorf("lengthen the time-to-live of topic %q: %w", b.options.Topic, err)
	}
	b.options.Logger.Info("messages of the topic do not expire any more", "topic", b.options.Topic, "before", before)
	return nil
}

// enlarge has an existing topic take as many bytes as one that an instance creates, because a store may be down for
// long. A smaller one serves too, but tells so.
func (b *Bus) enlarge(ctx context.Context, p admin.TopicProperties) {
	if p.MaxSizeInMegabytes == nil || *p.MaxSizeInMegabytes >= topicMegabytes {
		return
	}
	before := *p.MaxSizeInMegabytes
	p.MaxSizeInMegabytes, p.DefaultMessageTimeToLive = new(int32(topicMegabytes)), new(unlimited)
	b.meter.manages.Add(1)
	if _, err := b.admin.UpdateTopic(ctx, b.options.Topic, p, nil); err != nil {
		b.options.Logger.Warn("topic is small: less of what the store lacks fits in it", "topic", b.options.Topic,
			"megabytes", before, "wanted", topicMegabytes, "err", firstLine(err))
		return
	}
	b.options.Logger.Info("topic takes more now", "topic", b.options.Topic, "megabytes", topicMegabytes,
		"before", before)
}

// Peek calls yield with the bodies of all messages in the archive, in the order in which they were published. That
// includes those that another process has received and not completed.
func (b *Bus) Peek(parent context.Context, yield func(body []byte) error) error {
	if !b.options.Archive {
		return errNoArchive
	}
	client, err := b.newClient()
	if err != nil {
		return fmt.Errorf("peek at the archive: %w", err)
	}
	defer b.discard(client)
	receiver, err := client.NewReceiverForSubscription(b.options.Topic, archive, nil)
	if err != nil {
		return fmt.Errorf("peek at the archive: %w", err)
	}
	for next := int64(1); ; {
		messages, err := b.peekArchive(parent, receiver, next)
		if err != nil {
			return fmt.Errorf("peek at the archive: %w", err)
		}
		for _, m := range messages {
			if m.SequenceNumber != nil {
				next = *m.SequenceNumber + 1
			}
			if err := yield(m.Body); err != nil {
				return err
			}
		}
		if len(messages) == 0 {
			return nil
		}
	}
}

func (b *Bus) peekArchive(
	parent context.Context, receiver *azservicebus.Receiver, from int64,
) ([]*azservicebus.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(parent, peekTimeout)
	defer cancel()
	b.meter.peeks.Add(1)
	return receiver.PeekMessages(ctx, peekSize, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
}

// Drain receives the archive's messages, in no certain order, until ctx ends or the link breaks. take gets each body
// with a function that completes the message, which may be called later and by any goroutine, as long as Drain runs. A
// message that is not completed within the duration of its lock comes again.
func (b *Bus) Drain(parent context.Context, take func(body []byte, complete func())) error {
	if !b.options.Archive {
		return errNoArchive
	}
	var receivers [2]*azservicebus.Receiver // fetching, settling; see reception
	for i := range receivers {
		client, err := b.newClient()
		if err != nil {
			return fmt.Errorf("receive from the archive: %w", err)
		}
		defer b.discard(client)
		if receivers[i], err = client.NewReceiverForSubscription(b.options.Topic, archive, nil); err != nil {
			return fmt.Errorf("receive from the archive: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	if _, err := b.peekArchive(ctx, receivers[1], 1); err != nil { // opens the link before completers use it
		return fmt.Errorf("receive from the archive: %w", err)
	}
	completer := newCompleter(b, receivers[1])
	defer completer.stop()
	fetches := make(chan fetched, fetchAhead)
	go b.fetch(ctx, receivers[0], func() time.Duration { return archiveWait }, fetches)
	defer func() {
		cancel()
		for range fetches { // the fetcher closes it
		}
	}()
	guard := &completions{completer: completer}
	defer guard.end()
	for f := range fetches {
		for _, m := range f.messages {
			take(m.Body, func() { guard.complete(m) })
		}
		if f.err != nil && ctx.Err() == nil {
			return fmt.Errorf("receive from the archive: %w", f.err)
		}
	}
	return parent.Err()
}

// completions completes messages until the call of Drain that they came by ends.
type completions struct {
	mu        sync.Mutex // guards completer
	completer *completer // nil: the call has ended
}

func (c *completions) complete(m *azservicebus.ReceivedMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.completer != nil {
		c.completer.add(m, nil)
	}
}

func (c *completions) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.completer = nil
}
