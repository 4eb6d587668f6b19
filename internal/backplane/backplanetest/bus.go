package backplanetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/pause"
)

// Bus is a member of a Topic. It implements backplane.Bus, Evictor, Lister and Multicaster.
type Bus struct {
	topic    *Topic
	instance string

	// Guarded by topic.mu.
	changed chan struct{} // closed, and replaced, when one of the following changes
	queue   []queued
	stalled bool
	cut     bool
	gap     bool
	silent  bool // the current call of Receive delivers nothing any more
	ended   bool
	mute    bool
	removed bool // its subscription was, and it has not noticed: the topic keeps nothing for it
	deaf    bool // no call of Receive delivers anything
	joined  int  // how many messages had been published when its subscription was made
}

type queued struct {
	body     []byte
	enqueued time.Time
	due      time.Time
}

var (
	_ backplane.Bus         = (*Bus)(nil)
	_ backplane.Evictor     = (*Bus)(nil)
	_ backplane.Lister      = (*Bus)(nil)
	_ backplane.Multicaster = (*Bus)(nil)
)

func (b *Bus) queueLocked(m backplane.Message) {
	b.topic.usage.Deliveries++
	due := time.Now().Add(b.topic.timeLocked(b.topic.faults.DeliverTime))
	if n := len(b.queue); n > 0 && due.Before(b.queue[n-1].due) {
		due = b.queue[n-1].due
	}
	b.queue = append(b.queue, queued{body: m.Body, enqueued: time.Now(), due: due})
	b.changedLocked()
}

func (b *Bus) changedLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Stall makes the member's calls hang, as a paused process or a silent connection does, until it is called
// with false. The topic keeps for the member what is published in between.
func (b *Bus) Stall(stalled bool) {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.stalled = stalled
	b.changedLocked()
}

// Cut makes the member's calls fail, as a network partition does, until it is called with false. The
// topic keeps for the member what is published in between.
func (b *Bus) Cut(cut bool) {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.cut = cut
	b.changedLocked()
}

// Silence makes the current call of Receive deliver nothing any more, without an error, like a link
// that the broker has lost. The next call of Receive works.
func (b *Bus) Silence() {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.silent = true
}

// Deafen makes all calls of Receive deliver nothing, without an error, until it is called with false.
// The topic keeps for the member what is published in between. Publish works.
func (b *Bus) Deafen(deaf bool) {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.deaf = deaf
	b.changedLocked()
}

// Mute makes Publish fail with ErrBusy until it is called with false. Receive works.
func (b *Bus) Mute(mute bool) {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.mute = mute
}

// LoseSubscription drops what the member has not received yet, and makes its Receive return ErrGap.
func (b *Bus) LoseSubscription() {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.queue, b.gap = nil, true
	b.changedLocked()
}

// Expire drops what the member has not received yet, without an error. The contract of backplane.Bus
// forbids that.
func (b *Bus) Expire() {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.queue = nil
}

// Evict removes the subscription of a member. The member learns that when it receives, and has one again from then on.
func (b *Bus) Evict(_ context.Context, instance string) error {
	t := b.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	other := t.members[instance]
	switch {
	case t.unmanaged:
		return fmt.Errorf("remove the subscription of %q: %w", instance, backplane.ErrForbidden)
	case b.cut:
		return errFault
	case other != nil && other.ended:
		delete(t.members, instance)
	case other != nil:
		other.queue, other.removed = nil, true
		other.changedLocked()
	}
	return nil
}

// Subscriptions lists the members.
func (b *Bus) Subscriptions(context.Context) ([]backplane.Subscription, error) {
	t := b.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.unmanaged:
		return nil, fmt.Errorf("list subscriptions: %w", backplane.ErrForbidden)
	case b.cut:
		return nil, errFault
	}
	var all []backplane.Subscription
	for _, name := range slices.Sorted(maps.Keys(t.members)) {
		if m := t.members[name]; !m.removed {
			all = append(all, backplane.Subscription{Instance: name, Unread: int64(len(m.queue))})
		}
	}
	return all, nil
}

// End says that the member's process has ended. The topic goes on to keep what is published for it.
func (b *Bus) End() {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	b.ended = true
}

// Multicasts reports true.
func (b *Bus) Multicasts() bool { return true }

// Instance returns the name given to Join.
func (b *Bus) Instance() string { return b.instance }

// MaxBody returns the limit that NewTopic was given.
func (b *Bus) MaxBody() int { return b.topic.maxBody }

// Publish puts the message into the topic, unless a fault prevents it.
func (b *Bus) Publish(ctx context.Context, m backplane.Message) error {
	if len(m.Body) > b.topic.maxBody {
		return fmt.Errorf("publish %d bytes: more than the limit of %d", len(m.Body), b.topic.maxBody)
	}
	if err := b.passable(ctx); err != nil {
		return err
	}
	t := b.topic
	if err := t.delay(ctx); err != nil {
		return err
	}
	if err := b.passable(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch f := t.faults; {
	case b.mute:
		return fmt.Errorf("publish: %w", backplane.ErrBusy)
	case t.chanceLocked(f.Refuse):
		return errFault
	case t.chanceLocked(f.Busy):
		return fmt.Errorf("publish: %w", backplane.ErrBusy)
	case t.chanceLocked(f.LoseForAll):
		return nil
	case t.chanceLocked(f.Ambiguous):
		t.storeLocked(m)
		return errFault
	}
	t.storeLocked(m)
	return nil
}

// delay waits for as long as a body is on its way to the topic.
func (t *Topic) delay(ctx context.Context) error {
	t.mu.Lock()
	onWay := t.timeLocked(t.faults.PublishTime)
	t.mu.Unlock()
	return pause.For(ctx, onWay)
}

// passable waits while the member is stalled, and fails while it is cut.
func (b *Bus) passable(ctx context.Context) error {
	for {
		b.topic.mu.Lock()
		stalled, cut, changed := b.stalled, b.cut, b.changed
		b.topic.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case cut:
			return errFault
		case !stalled:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Receive delivers what is queued for the member when it is due. It ignores errors of deliver.
func (b *Bus) Receive(ctx context.Context, deliver func(body []byte, enqueued time.Time) error) error {
	b.topic.mu.Lock()
	b.silent = false
	b.topic.mu.Unlock()
	for {
		if err := b.passable(ctx); err != nil {
			return err
		}
		m, wait, changed, err := b.next()
		switch {
		case err != nil:
			return err
		case m.body != nil:
			deliver(m.body, m.enqueued)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// next takes the message that is due, or returns how long to wait for one.
func (b *Bus) next() (m queued, wait time.Duration, changed <-chan struct{}, err error) {
	b.topic.mu.Lock()
	defer b.topic.mu.Unlock()
	if b.gap || b.removed {
		b.gap, b.removed, b.joined = false, false, b.topic.usage.Messages
		return queued{}, 0, nil, fmt.Errorf("receive as %q: %w", b.instance, backplane.ErrGap)
	}
	if len(b.queue) == 0 || b.silent || b.deaf {
		return queued{}, time.Hour, b.changed, nil
	}
	if wait := time.Until(b.queue[0].due); wait > 0 {
		return queued{}, wait, b.changed, nil
	}
	m = b.queue[0]
	b.queue = b.queue[1:]
	return m, 0, nil, nil
}
