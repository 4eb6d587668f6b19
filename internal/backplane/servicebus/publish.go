package servicebus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"chatapp/internal/backplane"
)

// silentSend is how long a send on a link that has carried messages may take before the link counts as
// silent. On a slow service it is four times as long as sends have taken. The first message of a link has
// as long as the caller allows: opening the link takes many round trips.
const silentSend = 3 * time.Second

// sendLink is the client and link that messages are sent on.
type sendLink struct {
	client  *azservicebus.Client
	sender  *azservicebus.Sender
	slowest atomic.Int64 // of the last sends, the latest ones weighing most; 0: none has succeeded
}

// limit returns a context that ends when the link counts as silent.
func (s *sendLink) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	slowest := time.Duration(s.slowest.Load())
	if slowest == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, max(silentSend, 4*slowest))
}

// sent notes how long a send took.
func (s *sendLink) sent(took time.Duration) {
	s.slowest.Store(max(int64(took), s.slowest.Load()*3/4, 1))
}

// addressee is the message property with the only instance a message is for, or with all that it is for, each between
// two separators. The subscriptions' rules read it. No instance's name has a separator in it.
const (
	addressee          = "to"
	addresseeSeparator = ","
)

// addressees is the value of that property.
func addressees(m backplane.Message) string {
	if len(m.Also) == 0 {
		return m.To
	}
	const s = addresseeSeparator
	return s + m.To + s + strings.Join(m.Also, s) + s
}

// Multicasts reports whether the rule of this instance's subscription admits messages to several instances. That of a
// subscription that was given may not.
func (b *Bus) Multicasts() bool { return b.ownSubscription }

// target is an entity that messages are sent to.
type target int

const (
	toTopic target = iota
	toQueue
	targets
)

func (b *Bus) entity(to target) string {
	if to == toQueue {
		return b.options.Queue
	}
	return b.options.Topic
}

// Publish sends a message. After any failure except a busy service the next call opens a new
// connection: the SDK repairs its own only as part of its retries, whose waits are longer than a
// growing batch can bear.
func (b *Bus) Publish(ctx context.Context, m backplane.Message) error {
	message := &azservicebus.Message{Body: m.Body, ApplicationProperties: b.sharing.properties()}
	if m.To != "" {
		message.ApplicationProperties[addressee] = addressees(m)
	}
	err := b.send(ctx, toTopic, message)
	if err == nil && m.To == "" {
		b.sharing.sent()
	}
	return err
}

func (b *Bus) send(ctx context.Context, to target, message *azservicebus.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s, err := b.openSendLink(to)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	b.meter.sent(len(message.Body))
	sending, cancel := s.limit(ctx)
	defer cancel()
	began := time.Now()
	err = s.sender.SendMessage(sending, message, nil)
	switch {
	case err == nil:
		s.sent(time.Since(began))
		return nil
	case isBusy(err):
		return fmt.Errorf("publish: %w: %w", backplane.ErrBusy, err)
	}
	b.dropSendLink(to, s)
	if ctx.Err() != nil {
		return fmt.Errorf("publish: %w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("publish: %w", err)
}

func (b *Bus) openSendLink(to target) (*sendLink, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errBusClosed
	}
	if s := b.sendLinks[to]; s != nil {
		return s, nil
	}
	client, err := b.newClient()
	if err != nil {
		return nil, err
	}
	sender, err := client.NewSender(b.entity(to), nil)
	if err != nil {
		b.discard(client)
		return nil, err
	}
	b.sendLinks[to] = &sendLink{client: client, sender: sender}
	return b.sendLinks[to], nil
}

func (b *Bus) dropSendLink(to target, s *sendLink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sendLinks[to] == s {
		b.sendLinks[to] = nil
		b.meter.rebuilds.Add(1)
		b.discard(s.client)
	}
}

// conditionBusy is the AMQP condition of a throttled request.
const conditionBusy = amqp.ErrCond("com.microsoft:server-busy")

func isBusy(err error) bool {
	var condition *amqp.Error
	return errors.As(err, &condition) && condition.Condition == conditionBusy
}
