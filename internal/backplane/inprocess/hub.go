// Package inprocess provides a backplane.Bus inside one process: every member of a Hub receives what
// any of them publishes. A worker without Service Bus uses it as its log, and tests join many instances
// with it.
//
// # Concurrency
//
// The package starts no goroutine. Hub.mu guards everything; Receive calls deliver without it.
package inprocess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatapp/internal/backplane"
)

// ErrClosed is returned by the methods of a Bus once it is closed.
var ErrClosed = errors.New("inprocess: bus is closed")

// Options adjust a Hub; zero fields take the defaults named.
type Options struct {
	MaxBody int // bytes of one message; 256 KiB

	// MaxBacklog is how many bytes the hub keeps for the member that is furthest behind; 64 MiB. Beyond
	// that the member loses messages, and its Receive returns ErrGap. It should be several times the
	// length of a snapshot.
	MaxBacklog int
}

// Hub joins any number of members. Its methods may be called concurrently.
type Hub struct {
	options Options
	start   time.Time

	mu       sync.Mutex // guards what follows, and every Bus's cursor
	log      []message  // what some member has yet to receive, oldest first
	first    uint64     // index of log[0] in the hub's life
	bytes    int        // of log's bodies
	trimAt   int        // length of log at which to drop what all members have
	members  map[*Bus]bool
	everMany bool // there have been two members at once
}

type message struct {
	to       string
	body     []byte
	enqueued time.Time
}

// NewHub returns a hub without members.
func NewHub(options Options) *Hub {
	if options.MaxBody <= 0 {
		options.MaxBody = 256 << 10
	}
	if options.MaxBacklog <= 0 {
		options.MaxBacklog = 64 << 20
	}
	return &Hub{options: options, start: time.Now(), members: make(map[*Bus]bool)}
}

// Join adds a member, which receives what is published from now on. The caller closes it.
func (h *Hub) Join(instance string) *Bus {
	b := &Bus{hub: h, instance: instance, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	b.cursor = h.first + uint64(len(h.log))
	h.members[b] = true
	h.everMany = h.everMany || len(h.members) > 1
	return b
}

// Bus is a member of a Hub. It implements backplane.Bus, Evictor, Lister and LoneChecker.
type Bus struct {
	hub      *Hub
	instance string
	wake     chan struct{} // size 1: there may be something to deliver

	// Guarded by hub.mu.
	cursor uint64 // index of the message delivered next
	gap    bool   // messages before cursor were lost
	closed bool
}

var (
	_ backplane.Bus         = (*Bus)(nil)
	_ backplane.Evictor     = (*Bus)(nil)
	_ backplane.Lister      = (*Bus)(nil)
	_ backplane.LoneChecker = (*Bus)(nil)
)

// Instance returns the name given to Join.
func (b *Bus) Instance() string { return b.instance }

// MaxBody returns the hub's Options.MaxBody.
func (b *Bus) MaxBody() int { return b.hub.options.MaxBody }

// Publish appends the message to the log at once. All members share its bytes. It never returns ErrBusy.
func (b *Bus) Publish(ctx context.Context, m backplane.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h := b.hub
	if len(m.Body) > h.options.MaxBody {
		return fmt.Errorf("publish %d bytes: more than the limit of %d", len(m.Body), h.options.MaxBody)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	// The hub's clock goes on from its start, so that a step of the machine's does not move the log's time.
	enqueued := h.start.Add(time.Since(h.start))
	h.log = append(h.log, message{to: m.To, body: m.Body, enqueued: enqueued})
	h.bytes += len(m.Body)
	for h.bytes > h.options.MaxBacklog && len(h.log) > 1 {
		h.dropLocked(1)
	}
	if len(h.log) >= h.trimAt {
		h.trimLocked()
	}
	for member := range h.members {
		if m.To == "" || m.To == member.instance {
			member.wakeUp()
		}
	}
	return nil
}

func (b *Bus) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// dropLocked drops the oldest count messages. A member that has not received them has lost them.
func (h *Hub) dropLocked(count int) {
	for i := range count {
		h.bytes -= len(h.log[i].body)
		h.log[i] = message{}
	}
	h.log = h.log[count:]
	h.first += uint64(count)
	for member := range h.members {
		if member.cursor < h.first {
			member.cursor, member.gap = h.first+uint64(len(h.log)), true
		}
	}
}

// trimLocked drops what every member has received. It is due again when the rest has doubled.
func (h *Hub) trimLocked() {
	least := h.first + uint64(len(h.log))
	for member := range h.members {
		least = min(least, member.cursor)
	}
	h.dropLocked(int(least - h.first))
	h.trimAt = 2*len(h.log) + 64
}

// Receive delivers the log's messages to this member as they come. It ignores errors of deliver.
func (b *Bus) Receive(ctx context.Context, deliver func(body []byte, enqueued time.Time) error) error {
	var messages []message
	for {
		var err error
		if messages, err = b.next(messages[:0]); err != nil {
			return err
		}
		if len(messages) == 0 {
			select {
			case <-b.wake:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		for _, m := range messages {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if m.to == "" || m.to == b.instance {
				deliver(m.body, m.enqueued)
			}
			if !b.delivered() {
				break
			}
		}
		clear(messages)
	}
}

// delivered moves the cursor on. It reports false if the cursor was moved over a gap during the delivery.
func (b *Bus) delivered() bool {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if b.gap {
		return false
	}
	b.cursor++
	return true
}

// next appends to messages the next ones for the member, a bounded number at a time.
func (b *Bus) next(messages []message) ([]message, error) {
	const most = 64
	h := b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case b.closed:
		return nil, ErrClosed
	case b.gap:
		b.gap = false
		return nil, fmt.Errorf("receive as %q: %w", b.instance, backplane.ErrGap)
	}
	from := int(b.cursor - h.first)
	return append(messages, h.log[from:min(from+most, len(h.log))]...), nil
}

// Evict makes the members of that name lose what they have not received yet.
func (b *Bus) Evict(_ context.Context, instance string) error {
	h := b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for member := range h.members {
		if member.instance == instance {
			member.cursor, member.gap = h.first+uint64(len(h.log)), true
			member.wakeUp()
		}
	}
	return nil
}

// Subscriptions lists the members and how many messages each has not received.
func (b *Bus) Subscriptions(context.Context) ([]backplane.Subscription, error) {
	h := b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]backplane.Subscription, 0, len(h.members))
	for member := range h.members {
		unread := h.first + uint64(len(h.log)) - member.cursor
		all = append(all, backplane.Subscription{Instance: member.instance, Unread: int64(unread)})
	}
	slices.SortFunc(all, func(a, b backplane.Subscription) int { return cmp.Compare(a.Instance, b.Instance) })
	return all, nil
}

// Alone reports whether the hub never had two members at once.
func (b *Bus) Alone(context.Context) (bool, error) {
	h := b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.everMany, nil
}

// Close ends the membership. A Receive that is under way returns ErrClosed.
func (b *Bus) Close() {
	h := b.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	b.closed = true
	delete(h.members, b)
	b.wakeUp()
}
