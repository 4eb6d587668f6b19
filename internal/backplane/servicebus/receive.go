package servicebus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"chatapp/internal/backplane"
)

const (
	// fetchSize is how many messages are asked for at a time: the credit of the link.
	fetchSize = 500
	// fetchAhead is how many fetches may wait to be delivered. The fetcher must be back in ReceiveMessages at once: what arrives between
	// two calls the SDK releases, and it comes again later and out of order.
	fetchAhead = 64
	// peekSize is how many messages a peek shows at most: all that Service Bus ever does.
	peekSize = 250
	// maxRefused bounds the sequence numbers of refused messages that Receive remembers. A message beyond it that comes again is
	// completed instead of dead-lettered.
	maxRefused = 4096
)

// Receive delivers the topic's messages in its order until ctx ends or the link breaks. It makes a new connection each time, and first
// peeks at what the one before may still hold locked. It dead-letters a message
// whose body deliver refuses.
func (b *Bus) Receive(ctx context.Context, deliver func(body []byte) error) error {
	if b.lost {
		return b.subscribeAgain(ctx)
	}
	r := &reading{bus: b, deliver: deliver, early: make(map[int64]*azservicebus.ReceivedMessage)}
	for _, receiver := range []**azservicebus.Receiver{&r.fetching, &r.settling} {
		client, err := b.newClient()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		defer b.discard(client)
		if *receiver, err = client.NewReceiverForSubscription(b.options.Topic, b.options.Subscription, nil); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
	}
	if err := r.run(ctx); ctx.Err() == nil {
		b.meter.rebuilds.Add(1)
		return b.afterFailure(ctx, err)
	}
	return ctx.Err()
}

// afterFailure finds out whether the subscription is still there. Where it is not, what was published meanwhile is lost to this instance.
func (b *Bus) afterFailure(ctx context.Context, failure error) error {
	var sb *azservicebus.Error
	if !errors.As(failure, &sb) || sb.Code != azservicebus.CodeNotFound {
		return fmt.Errorf("receive: %w", failure)
	}
	b.lost = true
	return b.subscribeAgain(ctx)
}

// subscribeAgain has another subscription made in the place of the one lost; of one made beforehand that is up to whoever made it. The
// messages are numbered from 1 again, so what is known of the old numbers is forgotten: by them all the new messages would be repeats.
// It is called until it has worked: a subscription whose making was not answered may be there all the same.
func (b *Bus) subscribeAgain(ctx context.Context) error {
	b.sequence, b.refused = sequence{}, nil
	if b.own {
		if err := b.ensureTopic(ctx); err != nil {
			return fmt.Errorf("receive: subscription was deleted: %w", err)
		}
		if err := b.subscribe(ctx); err != nil {
			return fmt.Errorf("receive: subscription was deleted: %w", err)
		}
		b.options.Logger.Warn("subscription was deleted and has been made again", "subscription", b.options.Subscription)
	}
	b.lost = false
	return fmt.Errorf("receive: subscription %q was deleted: %w", b.options.Subscription, backplane.ErrGap)
}

// reading is one call of Receive. It uses two receivers, of clients of their own: one for nothing but fetching, the other to peek and to
// settle. Calls of the SDK side by side on one receiver whose link is lost make a link each and forget all but one, and what Service Bus
// sends to the forgotten ones is locked for as long as a lock lasts, again and again. (A message is settled on the link it came by,
// whichever receiver is asked, as long as that link lives, and then by its lock token.)
type reading struct {
	bus       *Bus
	fetching  *azservicebus.Receiver
	settling  *azservicebus.Receiver
	deliver   func([]byte) error
	completer *completer
	early     map[int64]*azservicebus.ReceivedMessage // fetched ahead of their turn, to be settled when it comes
}

// fetched is the outcome of one call of the SDK. No messages and no error means that the SDK has repaired its link.
type fetched struct {
	messages []*azservicebus.ReceivedMessage
	err      error
}

func (r *reading) run(parent context.Context) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	if err := r.peek(ctx); err != nil { // which also makes the link, before the completers ask for it side by side
		return err
	}
	fetches := make(chan fetched, fetchAhead)
	go r.fetch(ctx, fetches)
	r.completer = newCompleter(r.bus, r.settling)
	defer func() {
		cancel()
		for range fetches { // the fetcher closes it
		}
		r.completer.stop()
	}()
	for f := range fetches {
		r.take(f.messages)
		if f.err != nil {
			return f.err
		}
		if len(f.messages) == 0 || r.bus.sequence.hole() {
			if err := r.peek(ctx); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// fetch does nothing but call the SDK.
func (r *reading) fetch(ctx context.Context, fetches chan<- fetched) {
	defer close(fetches)
	atOnce := &azservicebus.ReceiveMessagesOptions{TimeAfterFirstMessage: time.Nanosecond}
	for {
		messages, err := r.fetching.ReceiveMessages(ctx, fetchSize, atOnce)
		r.bus.meter.receives.Add(uint64(len(messages)))
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

// take delivers messages as far as order allows, and has them completed.
func (r *reading) take(messages []*azservicebus.ReceivedMessage) {
	for _, m := range messages {
		number := *m.SequenceNumber
		r.early[number] = m
		if !r.bus.sequence.add(number, bodyFor(r.bus.instance, m), r.pass) {
			r.bus.meter.repeats.Add(1)
		}
		if number < r.bus.sequence.next {
			r.settle(number) // a repeat; pass has settled any other
		}
	}
}

// pass delivers the message whose turn has come. It settles the message too, unless only a peek has shown it so far.
func (r *reading) pass(number int64, body []byte) {
	if body != nil {
		if err := r.deliver(body); err != nil {
			r.bus.refuse(number, err)
		}
	}
	r.settle(number)
}

// settle has a fetched message completed, or dead-lettered if deliver has refused it.
func (r *reading) settle(number int64) {
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

// bodyFor returns the body of a message for this instance, or nil if the message is addressed to another instance. A subscription made
// beforehand may let such messages through; they only take their place in the order.
func bodyFor(instance string, m *azservicebus.ReceivedMessage) []byte {
	to, addressed := m.ApplicationProperties[addressee]
	if addressed && to != instance {
		return nil
	}
	return m.Body
}

// peek shows all there is from the first message on that was not delivered, also what another link holds locked. What it passes over
// does not exist, and a hole there is none. An answer ends where Service Bus finds it large enough, however little was shown: so while
// there is a hole only an empty one says that nothing follows.
func (r *reading) peek(ctx context.Context) error {
	s := &r.bus.sequence
	if s.hole() {
		r.bus.meter.holes.Add(uint64(s.missing()))
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
		case s.next <= from: // nothing from there on; what waits has been completed or has expired
			for s.hole() {
				s.skip(r.pass)
			}
			return nil
		case !s.hole() && len(messages) < peekSize: // what follows is fetched: peeking after a busy topic would never end
			return nil
		}
	}
}

func (r *reading) peekFrom(parent context.Context, from int64) ([]*azservicebus.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(parent, peekTimeout)
	defer cancel()
	r.bus.meter.peeks.Add(1)
	return r.settling.PeekMessages(ctx, peekSize, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
}
