package servicebus

import (
	"context"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const (
	// completers work side by side: the service answers a completion in tens of milliseconds, and takes many at a time.
	completers = 8
	// completeBacklog is how many messages may wait for completion. What does not fit is left to its lock's end: it is delivered again,
	// dropped as a repeat, and completed then.
	completeBacklog = 4096
)

// settlement is a message that has been taken; invalid is why it is to be dead-lettered, if so.
type settlement struct {
	message *azservicebus.ReceivedMessage
	invalid error
}

// completer completes messages in the background, in no order: only that they are is important.
type completer struct {
	bus      *Bus
	receiver *azservicebus.Receiver
	work     chan settlement // completeBacklog
	cancel   context.CancelFunc
	group    sync.WaitGroup
}

func newCompleter(b *Bus, receiver *azservicebus.Receiver) *completer {
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

// stop gives up what waits, and waits for what is under way.
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
	return c.receiver.DeadLetterMessage(ctx, s.message, &azservicebus.DeadLetterOptions{Reason: &reason, ErrorDescription: &description})
}
