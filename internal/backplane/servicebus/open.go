package servicebus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"chatapp/internal/pause"
)

// waiting is the reason why the bus is not open, and since when there is one.
type waiting struct {
	why   string // "" once it is open
	since time.Time
}

func (w *waiting) set(why string) {
	if w.why == "" {
		w.since = time.Now()
	}
	w.why = why
}

// Waiting returns, as a sentence for people, why the bus is not open yet and for how long; "" once
// it is.
func (b *Bus) Waiting() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting.why == "" {
		return ""
	}
	return fmt.Sprintf("%s (waiting for %v)", b.waiting.why, time.Since(b.waiting.since).Round(time.Second))
}

const (
	maxRetry = 15 * time.Second
	// logInterval is how often Open logs what is still missing.
	logInterval = 30 * time.Second
)

// Open checks or creates the topic, creates the subscription, and tries both directions. It waits
// for whatever is missing as long as ctx lasts, and logs what that is: a role takes minutes to take
// effect. It returns a *TopicError for a topic that waiting does not repair.
func (b *Bus) Open(ctx context.Context) error {
	var logged time.Time
	for wait := b.options.retry; ; wait = min(2*wait, maxRetry) {
		err := b.try(ctx)
		var unusable *TopicError
		switch {
		case err == nil:
			b.opened()
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &unusable):
			return err
		case errors.Is(err, errRetry):
			continue
		}
		why := b.explain(err)
		b.mu.Lock()
		b.waiting.set(why)
		since := b.waiting.since
		b.mu.Unlock()
		if time.Since(logged) >= logInterval {
			logged = time.Now()
			b.options.Logger.Warn("waiting for service bus",
				"reason", why, "for", time.Since(since).Round(time.Second), "err", err)
		}
		if err := pause.For(ctx, wait/2+rand.N(wait)); err != nil {
			return err
		}
	}
}

func (b *Bus) opened() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting.why = ""
	b.options.Logger.Info("service bus open",
		"host", b.endpoint.host, "topic", b.options.Topic, "subscription", b.options.Subscription)
}

// try performs all steps once.
func (b *Bus) try(ctx context.Context) error {
	if b.ownSubscription {
		if err := b.ensureTopic(ctx); err != nil {
			return err
		}
		if b.options.Archive { // before this instance publishes
			if err := b.ensureArchive(ctx); err != nil {
				return err
			}
		}
		if err := b.subscribe(ctx); err != nil {
			return err
		}
	}
	if err := b.checkReceiving(ctx); err != nil {
		return fmt.Errorf("listen to subscription %q: %w", b.options.Subscription, err)
	}
	if err := b.checkSending(ctx); err != nil {
		return fmt.Errorf("send to topic %q: %w", b.options.Topic, err)
	}
	return nil
}

func (b *Bus) checkReceiving(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	client, err := b.newClient()
	if err != nil {
		return err
	}
	defer b.discard(client)
	receiver, err := client.NewReceiverForSubscription(b.options.Topic, b.options.Subscription, nil)
	if err != nil {
		return err
	}
	b.meter.peeks.Add(1)
	_, err = receiver.PeekMessages(ctx, 1, nil)
	return err
}

func (b *Bus) checkSending(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	s, err := b.openSendLink(toTopic)
	if err != nil {
		return err
	}
	if _, err = s.sender.NewMessageBatch(ctx, nil); err != nil { // opens the link, and sends nothing
		b.dropSendLink(toTopic, s)
	}
	return err
}

// explain says what is missing and where, for the person who has to provide it.
func (b *Bus) explain(err error) string {
	where := fmt.Sprintf("topic %q of %s", b.options.Topic, b.endpoint.host)
	var dns *net.DNSError
	var authentication *azidentity.AuthenticationFailedError
	switch code := status(err); {
	case errors.As(err, &authentication):
		return "no identity to sign in with: " + firstLine(err)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Sprintf("the right Manage is missing on %s: the identity needs the role "+
			"Azure Service Bus Data Owner, which takes effect some minutes after its assignment", where)
	case code == http.StatusNotFound:
		return "there is no " + where
	case unauthorized(err):
		return fmt.Sprintf("the right Listen or Send is missing on %s: %s", where, firstLine(err))
	case notFound(err):
		return fmt.Sprintf("there is no subscription %q of %s", b.options.Subscription, where)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s is not known", dns.Name)
	}
	return "service bus returns an error: " + firstLine(err)
}

// notFound reports whether an entity that a link was to be attached to does not exist. The SDK has a code for that, but
// returns some errors of go-amqp as they are.
func notFound(err error) bool { return is(err, azservicebus.CodeNotFound, amqp.ErrCondNotFound) }

// unauthorized reports whether a right is missing on an entity that a link was to be attached to.
func unauthorized(err error) bool {
	return is(err, azservicebus.CodeUnauthorizedAccess, amqp.ErrCondUnauthorizedAccess)
}

func is(err error, code azservicebus.Code, condition amqp.ErrCond) bool {
	var sb *azservicebus.Error
	var peer *amqp.Error
	return errors.As(err, &sb) && sb.Code == code || errors.As(err, &peer) && peer.Condition == condition
}

func firstLine(err error) string {
	text := err.Error()
	for i := range text {
		if text[i] == '\n' {
			return text[:i]
		}
	}
	return text
}
