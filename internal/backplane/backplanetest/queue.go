package backplanetest

import (
	"context"
	"fmt"
	"slices"

	"chatapp/internal/backplane"
)

// queue is what the members of a topic gather bodies in. Its fields are guarded by Topic.mu.
type queue struct {
	exists  bool
	bodies  []*queuedBody
	reader  *Bus          // nil: none
	changed chan struct{} // closed, and replaced, when something changes
}

type queuedBody struct {
	body []byte
	term int // in which it was last delivered
}

func (q *queue) changedLocked() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// AddQueue gives the topic a queue, so that its members are gatherers that don't return ErrNoQueue.
func (t *Topic) AddQueue() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue.exists = true
}

// Combiner returns the name of the member that reads the queue; "" if none does.
func (t *Topic) Combiner() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queue.reader == nil {
		return ""
	}
	return t.queue.reader.instance
}

// Gather puts a body into the queue, unless a fault prevents it.
func (b *Bus) Gather(ctx context.Context, body []byte) error {
	if err := b.passable(ctx); err != nil {
		return err
	}
	t := b.topic
	if err := t.delay(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch f := t.faults; {
	case !t.queue.exists:
		return fmt.Errorf("gather: %w", backplane.ErrNoQueue)
	case t.chanceLocked(f.Refuse):
		return errFault
	case t.chanceLocked(f.Busy):
		return fmt.Errorf("gather: %w", backplane.ErrBusy)
	case t.chanceLocked(f.LoseForAll):
		return nil
	}
	t.usage.Gathered++
	t.queue.bodies = append(t.queue.bodies, &queuedBody{body: body})
	t.queue.changedLocked()
	if t.chanceLocked(t.faults.Ambiguous) {
		return errFault
	}
	return nil
}

// Combine reads the queue. A member that is cut off loses it; one that is stalled keeps it.
func (b *Bus) Combine(ctx context.Context, elected func(), deliver func(body []byte, done func())) error {
	t, reads := b.topic, false
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if reads {
			t.queue.reader = nil
			t.queue.changedLocked()
		}
	}()
	for {
		if err := b.passable(ctx); err != nil {
			return err
		}
		t.mu.Lock()
		q := &t.queue
		changed, cut := q.changed, b.changed
		var next *queuedBody
		switch {
		case !q.exists:
			t.mu.Unlock()
			return fmt.Errorf("combine: %w", backplane.ErrNoQueue)
		case reads:
			if i := slices.IndexFunc(q.bodies, func(m *queuedBody) bool { return m.term != t.terms }); i >= 0 {
				next = q.bodies[i]
				next.term = t.terms
			}
		case q.reader == nil && len(q.bodies) > 0:
			q.reader, reads = b, true
			t.terms++
			t.mu.Unlock()
			elected()
			continue
		}
		t.mu.Unlock()
		if next != nil {
			deliver(next.body, func() { t.done(next) })
			continue
		}
		select {
		case <-changed:
		case <-cut:
		case <-ctx.Done():
		}
	}
}

func (t *Topic) done(m *queuedBody) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue.bodies = slices.DeleteFunc(t.queue.bodies, func(other *queuedBody) bool { return other == m })
}

var _ backplane.Gatherer = (*Bus)(nil)
