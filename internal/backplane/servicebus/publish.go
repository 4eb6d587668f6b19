package servicebus

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"chatapp/internal/backplane"
)

// sending is the client and link by which messages go out.
type sending struct {
	client *azservicebus.Client
	sender *azservicebus.Sender
}

// addressee is the property that holds the only instance a message is for. The subscriptions' rule reads it.
const addressee = "to"

// Publish sends a message. After any failure but a busy service the next call has a new connection: the SDK's own repair comes only
// with its retries, which would wait for longer than a batch that grows meanwhile.
func (b *Bus) Publish(ctx context.Context, m backplane.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s, err := b.openSending()
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	message := &azservicebus.Message{Body: m.Body}
	if m.To != "" {
		message.ApplicationProperties = map[string]any{addressee: m.To}
	}
	b.meter.sent(len(m.Body))
	err = s.sender.SendMessage(ctx, message, nil)
	switch {
	case err == nil:
		return nil
	case isBusy(err):
		return fmt.Errorf("publish: %w: %w", backplane.ErrBusy, err)
	}
	b.dropSending(s)
	if ctx.Err() != nil {
		return fmt.Errorf("publish: %w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("publish: %w", err)
}

func (b *Bus) openSending() (*sending, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errBusClosed
	}
	if b.sending != nil {
		return b.sending, nil
	}
	client, err := b.newClient()
	if err != nil {
		return nil, err
	}
	sender, err := client.NewSender(b.options.Topic, nil)
	if err != nil {
		b.discard(client)
		return nil, err
	}
	b.sending = &sending{client, sender}
	return b.sending, nil
}

func (b *Bus) dropSending(s *sending) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sending == s {
		b.sending = nil
		b.meter.rebuilds.Add(1)
		b.discard(s.client)
	}
}

// conditionBusy is the AMQP condition with which Service Bus refuses what is too much.
const conditionBusy = amqp.ErrCond("com.microsoft:server-busy")

func isBusy(err error) bool {
	var condition *amqp.Error
	return errors.As(err, &condition) && condition.Condition == conditionBusy
}
