package servicebus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// Usage returns how many bytes of messages the topic holds, and at how many it refuses further ones. It takes two calls
// of management.
func (b *Bus) Usage(parent context.Context) (used, limit int64, err error) {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(2)
	topic, err := b.admin.GetTopic(ctx, b.options.Topic, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the size of topic %q: %w", b.options.Topic, err)
	}
	now, err := b.admin.GetTopicRuntimeProperties(ctx, b.options.Topic, nil)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the size of topic %q: %w", b.options.Topic, err)
	}
	if topic == nil || now == nil || topic.MaxSizeInMegabytes == nil {
		return 0, 0, fmt.Errorf("topic %q does not tell its size", b.options.Topic)
	}
	return now.SizeInBytes, int64(*topic.MaxSizeInMegabytes) << 20, nil
}

const (
	// dropBatch is how many messages are dropped at a time. No more is requested than is to go: what arrives is gone.
	dropBatch = 100
	// dropWait is how long no message arrives before the archive counts as empty.
	dropWait = 5 * time.Second
)

// Drop removes a share of the archive's messages, the oldest of those that nobody holds locked. It returns how many it
// has removed.
func (b *Bus) Drop(ctx context.Context, share float64) (dropped int, err error) {
	if !b.options.Archive {
		return 0, errNoArchive
	}
	all, err := b.unread(ctx)
	if err != nil {
		return 0, err
	}
	client, err := b.newClient()
	if err != nil {
		return 0, fmt.Errorf("drop from the archive: %w", err)
	}
	defer b.discard(client)
	receiver, err := client.NewReceiverForSubscription(b.options.Topic, archive,
		&azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if err != nil {
		return 0, fmt.Errorf("drop from the archive: %w", err)
	}
	for total := int(math.Ceil(share * float64(all[archive]))); dropped < total; {
		n, err := b.dropSome(ctx, receiver, min(dropBatch, total-dropped))
		dropped += n
		if err != nil {
			return dropped, fmt.Errorf("drop from the archive: %w", err)
		}
		if n == 0 {
			break
		}
	}
	return dropped, nil
}

func (b *Bus) dropSome(parent context.Context, r *azservicebus.Receiver, most int) (int, error) {
	ctx, cancel := context.WithTimeout(parent, dropWait)
	defer cancel()
	messages, err := r.ReceiveMessages(ctx, most, nil)
	b.meter.receives.Add(uint64(len(messages)))
	if errors.Is(err, context.DeadlineExceeded) && parent.Err() == nil {
		err = nil
	}
	return len(messages), err
}
