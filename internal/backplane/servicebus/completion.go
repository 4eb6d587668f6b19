package servicebus

import (
	"context"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const (
	// completers is how many completions are under way at once: the service answers each in tens of
	// milliseconds.
	completers = 8
	// completeBacklog bounds the messages that wait for completion. The lock of any further one
	// ends, and the service delivers it again; it is then dropped as a repeat and completed.
	completeBacklog = 4096
)

// settlement is a message to settle: to complete, or to dead-letter if invalid is set.
type settlement struct {
	message *azservicebus.ReceivedMessage
	invalid error
}

// messageSettler is a receiver of the SDK, of a subscription or of a session.
type messageSettler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	DeadLetterMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.DeadLetterOptions) error
}

// completer settles messages in the background, in any order.
type completer struct {
	bus      *Bus
	receiver messageSettler
	work     chan settlement // completeBacklog
	cancel   context.CancelFunc
	group    sync.WaitGroup
}

func newCompleter(b *Bus, receiver messageSettler) *completer {
	ctx, cancel := context.WithCancel(context.Background())
	c := &completer{bus: b, receiver: receiver, work: make(chan settlement, completeBacklog), cancel: cancel}
	for range completers {
		c.group.Go(func() { c.run(ctx) })
	}
	return c
}

func (c *completer) add(m *azservicebus.ReceivedMessage, invalid error) {
	select {
	case c.work <- settlement{m, invalid}:
	default:
		c.bus.meter.uncompleted.Add(1)
	}
}

// stop abandons waiting messages, and waits for settlements under way.
func (c *completer) stop() {
	c.cancel()
	close(c.work)
	c.group.Wait()
}

func (c *completer) run(ctx context.Context) {
	for s := range c.work {
		if ctx.Err() != nil || c.settle(ctx, s) != nil {
			c.bus.meter.uncompleted.Add(1)
		}
	}
}

func (c *completer) settle(parent context.Context, s settlement) error {
	ctx, cancel := context.WithTimeout(parent, completeTimeout)
	defer cancel()
	c.bus.meter.completes.Add(1)
	if s.invalid == nil {
		return c.receiver.CompleteMessage(ctx, s.message, nil)
	}
	reason, description := "not of this protocol", s.invalid.Error()
	return c.receiver.DeadLetterMessage(ctx, s.message, &azservicebus.DeadLetterOptions{
		Reason: &reason, ErrorDescription: &description,
	})
}
