package servicebus

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/backplane"
)

const (
	// peekSize is the number of messages requested by a peek, the maximum of Service Bus.
	peekSize = 250
	// maxRefused bounds the sequence numbers of refused messages that Receive remembers. A refused
	// message that is no longer remembered and comes again is completed instead of dead-lettered.
	maxRefused = 4096
)

// Receive delivers the topic's messages in order until ctx ends or the link breaks. It opens a new
// connection each time, and first peeks at messages that the previous one may still hold locked. It
// dead-letters a message whose body deliver refuses.
func (b *Bus) Receive(ctx context.Context, deliver func(body []byte, enqueued time.Time) error) error {
	if b.lost {
		return b.subscribeAgain(ctx)
	}
	r := &reception{bus: b, deliver: deliver, early: make(map[int64]*azservicebus.ReceivedMessage)}
	for _, receiver := range []**azservicebus.Receiver{&r.fetching, &r.settling} {
		client, err := b.newClient()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		defer b.discard(client)
		*receiver, err = client.NewReceiverForSubscription(b.options.Topic, b.options.Subscription, nil)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
	}
	if err := r.run(ctx); ctx.Err() == nil {
		b.meter.rebuilds.Add(1)
		return b.afterFailure(ctx, err)
	}
	return ctx.Err()
}

// afterFailure finds out whether the subscription still exists. If not, messages published since
// its deletion are lost to this instance.
func (b *Bus) afterFailure(ctx context.Context, failure error) error {
	if !notFound(failure) {
		return fmt.Errorf("receive: %w", failure)
	}
	b.lost = true
	return b.subscribeAgain(ctx)
}

// subscribeAgain creates the subscription again; an existing one that was given is up to its owner.
// The new subscription numbers its messages from 1, so the old sequence is dropped: by it all new
// messages would be repeats. Receive calls this until it succeeds, since a creation without an
// answer may have worked.
func (b *Bus) subscribeAgain(ctx context.Context) error {
	b.sequence, b.refused = sequence{}, nil
	if b.ownSubscription {
		if err := b.ensureTopic(ctx); err != nil {
			return fmt.Errorf("receive: subscription was deleted: %w", err)
		}
		if b.options.Archive {
			if err := b.ensureArchive(ctx); err != nil {
				return fmt.Errorf("receive: subscription was deleted: %w", err)
			}
		}
		if err := b.subscribe(ctx); err != nil {
			return fmt.Errorf("receive: subscription was deleted: %w", err)
		}
		b.options.Logger.Warn("deleted subscription created again", "subscription", b.options.Subscription)
	}
	b.lost = false
	return fmt.Errorf("receive: subscription %q was deleted: %w", b.options.Subscription, backplane.ErrGap)
}

// reception is one call of Receive. It uses two receivers, each of a client of its own: one only
// fetches, the other peeks and settles. Concurrent SDK calls on one receiver whose link is lost
// open a link each and forget all but one, and Service Bus locks messages for the forgotten ones
// again and again. (A message is settled on the link it came by, whichever receiver is asked, as
// long as that link lives, and then by its lock token.)
type reception struct {
	bus       *Bus
	fetching  *azservicebus.Receiver
	settling  *azservicebus.Receiver
	deliver   func([]byte, time.Time) error
	completer *completer
	patience  patience
	early     map[int64]*azservicebus.ReceivedMessage // fetched ahead of their turn, to be settled when it comes
}

func (r *reception) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	if err := r.peek(ctx); err != nil { // also opens the link, before completers use it concurrently
		return err
	}
	fetches := make(chan fetched, fetchAhead)
	go r.bus.fetch(ctx, r.fetching, r.patience.wait, fetches)
	r.completer = newCompleter(r.bus, r.settling)
	defer func() {
		cancel()
		for range fetches { // the fetcher closes it
		}
		r.completer.stop()
	}()
	for f := range fetches {
		r.patience.received(time.Now(), len(f.messages))
		r.take(f.messages)
		if f.err != nil {
			return f.err
		}
		if len(f.messages) == 0 || r.bus.sequence.gap() {
			if err := r.peek(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// take delivers messages as far as the order allows, and hands them to the completer.
func (r *reception) take(messages []*azservicebus.ReceivedMessage) {
	for _, m := range messages {
		number := *m.SequenceNumber
		r.early[number] = m
		r.bus.sharing.received(m.ApplicationProperties)
		if !r.bus.sequence.add(number, bodyFor(r.bus.instance, m), r.pass) {
			r.bus.meter.repeats.Add(1)
		}
		if number < r.bus.sequence.next {
			r.settle(number) // a repeat; pass has settled any other
		}
	}
}

// pass delivers the next message in order. It also settles the message, unless only a peek has
// returned it so far.
func (r *reception) pass(number int64, body []byte) {
	if body != nil {
		if err := r.deliver(body, r.enqueued(number)); err != nil {
			r.bus.refuse(number, err)
		}
	}
	r.settle(number)
}

// enqueued returns when Service Bus took a message, or zero for one that only a peek has returned so far.
func (r *reception) enqueued(number int64) time.Time {
	if m := r.early[number]; m != nil && m.EnqueuedTime != nil {
		return *m.EnqueuedTime
	}
	return time.Time{}
}

// settle has a fetched message completed, or dead-lettered if deliver has refused it.
func (r *reception) settle(number int64) {
	m := r.early[number]
	if m == nil {
		return
	}
	delete(r.early, number)
	refusal := r.bus.refused[number]
	if refusal != nil {
		r.bus.meter.deadLettered.Add(1)
		r.bus.options.Logger.Warn("message dead-lettered", "sequence", number, "err", refusal)
	}
	r.completer.add(m, refusal)
}

// refuse remembers why deliver refused a message, since the message is delivered once but may be fetched several times.
func (b *Bus) refuse(number int64, err error) {
	if b.refused == nil {
		b.refused = make(map[int64]error)
	}
	if len(b.refused) >= maxRefused {
		delete(b.refused, slices.Min(slices.Collect(maps.Keys(b.refused))))
	}
	b.refused[number] = err
}

// bodyFor returns the body of a message for this instance, or nil if the message is addressed to
// another instance. An existing subscription may admit such messages; they only take their place in
// the order.
func bodyFor(instance string, m *azservicebus.ReceivedMessage) []byte {
	to, addressed := m.ApplicationProperties[addressee]
	if !addressed || to == instance {
		return m.Body
	}
	const s = addresseeSeparator
	if several, ok := to.(string); ok && strings.Contains(several, s+instance+s) {
		return m.Body
	}
	return nil
}

// peek reads all messages from the first undelivered one on, including those that another link
// holds locked. Sequence numbers that it skips do not exist. A response may end early, where
// Service Bus finds it large enough; so while there is a gap, only an empty response means that
// nothing follows.
func (r *reception) peek(ctx context.Context) error {
	s := &r.bus.sequence
	if s.gap() {
		r.bus.meter.gaps.Add(uint64(s.missing()))
	}
	for {
		from := max(s.next, 1)
		messages, err := r.peekFrom(ctx, from)
		if err != nil {
			return fmt.Errorf("peek from %d: %w", from, err)
		}
		for _, m := range messages {
			s.absent(*m.SequenceNumber, r.pass)
			s.add(*m.SequenceNumber, bodyFor(r.bus.instance, m), r.pass)
		}
		switch {
		case s.next <= from: // nothing follows; the missing messages were completed or have expired
			for s.gap() {
				s.skip(r.pass)
			}
			return nil
		case !s.gap() && len(messages) < peekSize: // the rest is fetched: on a busy topic peeking would never end
			return nil
		}
	}
}

func (r *reception) peekFrom(parent context.Context, from int64) ([]*azservicebus.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(parent, peekTimeout)
	defer cancel()
	r.bus.meter.peeks.Add(1)
	return r.settling.PeekMessages(ctx, peekSize, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
}
