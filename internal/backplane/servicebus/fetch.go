package servicebus

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const (
	// fetchSize is the number of messages requested at a time, the credit of the link.
	fetchSize = 500
	// fetchAhead is how many fetches may wait for delivery. The fetcher must call ReceiveMessages
	// again at once: the SDK releases messages that arrive between two calls, and they come again
	// later and out of order.
	fetchAhead = 64

	// shortWait is how long a fetch waits for more messages after the first one, where several instances publish: what
	// they publish at nearly the same moment would arrive between two calls. A message that is released costs two
	// credits and as many round trips. The timers of an idle process are as coarse as a millisecond.
	shortWait = 300 * time.Microsecond
	// archiveWait is the same for the archive, where nobody waits for a message.
	archiveWait = 20 * time.Millisecond
	// waitsPerPair is how many fetches of a subscription wait after two messages have come together, which is within
	// pairWithin.
	waitsPerPair = 256
	pairWithin   = time.Millisecond
)

// patience decides how long the fetches of a subscription wait after the first message: not at all as long as messages
// come one by one, as they do to an instance that is alone. Of two that come together, the SDK would release the second
// one. Where three instances send 75 messages a second, those were one in five.
type patience struct {
	waits atomic.Int32
	last  time.Time // when messages last came; for the goroutine that calls received
}

// received notes that a fetch has returned so many messages.
func (p *patience) received(now time.Time, messages int) {
	if messages == 0 {
		return
	}
	if messages > 1 || now.Sub(p.last) < pairWithin {
		p.waits.Store(waitsPerPair)
	}
	p.last = now
}

// wait is how long the next fetch waits. It is for one goroutine.
func (p *patience) wait() time.Duration {
	if p.waits.Load() <= 0 {
		return time.Nanosecond // zero would mean the SDK's default
	}
	p.waits.Add(-1)
	return shortWait
}

// fetched is the result of one SDK call. Neither messages nor an error means that the SDK has
// repaired its link.
type fetched struct {
	messages []*azservicebus.ReceivedMessage
	err      error
}

// messageReceiver is a receiver of the SDK, of a subscription or of a session.
type messageReceiver interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// fetch only calls the SDK. wait is how long a call waits for more messages after the first one.
func (b *Bus) fetch(ctx context.Context, from messageReceiver, wait func() time.Duration, fetches chan<- fetched) {
	defer close(fetches)
	for {
		messages, err := from.ReceiveMessages(ctx, fetchSize,
			&azservicebus.ReceiveMessagesOptions{TimeAfterFirstMessage: wait()})
		b.meter.receives.Add(uint64(len(messages)))
		select {
		case fetches <- fetched{messages, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
