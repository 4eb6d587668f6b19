package servicebus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/backplane"
)

const (
	// session is the only one of the queue. The instance that holds its lock is the combiner.
	session = "batches"
	// sessionLock is how long the lock lasts, and renewEvery how often it is renewed. Of a combiner that
	// dies the connection breaks, which ends the lock at once.
	sessionLock = "PT30S"
	renewEvery  = 10 * time.Second
	// queueTimeToLive is for batches that no combiner reads: they are sent directly soon.
	queueTimeToLive = "PT1M"
	// acceptTimeout is how long the service waits for the session to have a message and no lock.
	acceptTimeout = time.Minute
	// maxGap is how long a message that is missing holds up those behind it. It may have expired.
	maxGap = 250 * time.Millisecond
)

// Gather puts a body into the queue.
func (b *Bus) Gather(ctx context.Context, body []byte) error {
	id := session
	err := b.send(ctx, toQueue, &azservicebus.Message{Body: body, SessionID: &id})
	if isMissing(err) {
		return fmt.Errorf("queue %q: %w: %w", b.options.Queue, backplane.ErrNoQueue, err)
	}
	return err
}

// isMissing reports whether the queue does not exist, or this instance may not use it.
func isMissing(err error) bool { return notFound(err) || unauthorized(err) }

// Combine creates the queue if it is missing and the instance may, waits for its session, and reads it.
func (b *Bus) Combine(ctx context.Context, elected func(), deliver func(body []byte, done func())) error {
	if err := b.ensureQueue(ctx); err != nil {
		return err
	}
	client, err := b.newClient()
	if err != nil {
		return fmt.Errorf("combine: %w", err)
	}
	defer b.discard(client)
	for ctx.Err() == nil {
		accepting, cancel := context.WithTimeout(ctx, acceptTimeout)
		receiver, err := client.AcceptNextSessionForQueue(accepting, b.options.Queue, nil)
		timeout := accepting.Err() != nil
		cancel()
		var sb *azservicebus.Error
		switch {
		case err == nil:
			c := combination{
				bus: b, receiver: receiver, deliver: deliver, early: make(map[int64]*azservicebus.ReceivedMessage),
			}
			return c.run(ctx, elected)
		case isMissing(err):
			b.queueReady.Store(false)
			return fmt.Errorf("queue %q: %w: %w", b.options.Queue, backplane.ErrNoQueue, err)
		case timeout, errors.As(err, &sb) && sb.Code == azservicebus.CodeTimeout:
		default:
			return fmt.Errorf("wait for the session of queue %q: %w", b.options.Queue, err)
		}
	}
	return ctx.Err()
}

// ensureQueue creates the queue, once. An instance whose subscription was given may not manage.
func (b *Bus) ensureQueue(parent context.Context) error {
	if !b.ownSubscription || b.queueReady.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, manageTimeout)
	defer cancel()
	b.meter.manages.Add(1)
	found, err := b.admin.GetQueue(ctx, b.options.Queue, nil)
	if err == nil && found == nil {
		b.meter.manages.Add(1)
		_, err = b.admin.CreateQueue(ctx, b.options.Queue, &admin.CreateQueueOptions{Properties: &admin.QueueProperties{
			RequiresSession:          new(true),
			LockDuration:             new(sessionLock),
			DefaultMessageTimeToLive: new(queueTimeToLive),
			MaxDeliveryCount:         new(int32(maxDeliveryCount)),
			MaxSizeInMegabytes:       new(int32(topicMegabytes)),
			EnablePartitioning:       new(false),
			EnableBatchedOperations:  new(true),
		}})
		if status(err) == http.StatusConflict {
			err = nil // another instance has just created it
		}
	}
	switch code := status(err); {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fmt.Errorf("create queue %q: %w: %w", b.options.Queue, backplane.ErrNoQueue, err)
	case err != nil:
		return fmt.Errorf("create queue %q: %w", b.options.Queue, err)
	case found != nil && found.RequiresSession != nil && !*found.RequiresSession:
		return fmt.Errorf("%w: queue %q does not require sessions", backplane.ErrNoQueue, b.options.Queue)
	}
	b.queueReady.Store(true)
	return nil
}

// combination is the time for which this instance reads the queue.
type combination struct {
	bus       *Bus
	receiver  *azservicebus.SessionReceiver
	deliver   func(body []byte, done func())
	completer *completer

	// Owned by run.
	sequence sequence
	early    map[int64]*azservicebus.ReceivedMessage

	mu    sync.Mutex
	ended bool // guarded by mu: completer takes no more
}

func (c *combination) run(parent context.Context, elected func()) error {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	c.completer = newCompleter(c.bus, c.receiver)
	fetches := make(chan fetched, fetchAhead)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		defer cancel()
		c.renew(ctx)
	})
	go c.bus.fetch(ctx, c.receiver, func() time.Duration { return shortWait }, fetches)
	defer func() {
		cancel()
		for range fetches { // the fetcher closes it
		}
		renewing.Wait()
		c.end()
	}()
	elected()
	gap := time.NewTimer(maxGap)
	defer gap.Stop()
	for {
		select {
		case f, ok := <-fetches:
			if !ok {
				return parent.Err()
			}
			had := c.sequence.gap()
			c.take(f.messages)
			if f.err != nil {
				return fmt.Errorf("read queue %q: %w", c.bus.options.Queue, f.err)
			}
			if !had {
				gap.Reset(maxGap)
			}
		case <-gap.C:
			for c.sequence.gap() {
				c.sequence.skip(c.pass)
			}
		}
	}
}

// take delivers messages in the queue's order. The SDK releases those that arrive between two calls, and
// they come again behind others.
func (c *combination) take(messages []*azservicebus.ReceivedMessage) {
	slices.SortFunc(messages, func(a, b *azservicebus.ReceivedMessage) int {
		return cmp.Compare(*a.SequenceNumber, *b.SequenceNumber)
	})
	for _, m := range messages {
		number := *m.SequenceNumber
		c.early[number] = m
		if !c.sequence.add(number, m.Body, c.pass) && number < c.sequence.next {
			c.pass(number, m.Body) // it was skipped
		}
	}
}

func (c *combination) pass(number int64, body []byte) {
	m := c.early[number]
	delete(c.early, number)
	c.deliver(body, func() { c.complete(m) })
}

// renew renews the lock until that fails.
func (c *combination) renew(parent context.Context) {
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-parent.Done():
			return
		}
		ctx, cancel := context.WithTimeout(parent, completeTimeout)
		c.bus.meter.peeks.Add(1)
		err := c.receiver.RenewSessionLock(ctx, nil)
		cancel()
		if err != nil {
			if parent.Err() == nil {
				c.bus.options.Logger.Warn("lock of the combiner's queue not renewed", "err", err)
			}
			return
		}
	}
}

func (c *combination) complete(m *azservicebus.ReceivedMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.completer.add(m, nil)
	}
}

// end gives the session back.
func (c *combination) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.completer.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := c.receiver.Close(ctx); err != nil {
		c.bus.options.Logger.Debug("session of the combiner's queue not closed in order", "err", err)
	}
}
