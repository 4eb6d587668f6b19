package backplane

import (
	"context"
	"time"

	"chatapp/internal/pause"
)

// send owns the one message that is under way to the bus.
func (n *Node) send(ctx context.Context) {
	var items []item // room for a batch
	for {
		n.mu.Lock()
		m, ok := n.protocol.nextMessage(time.Now(), items[:0])
		nextAt := n.protocol.credits.nextAt
		n.unlock()
		if !ok {
			if !n.waitToSend(ctx, nextAt) {
				return
			}
			continue
		}
		if m.envelope.Items != nil {
			items = m.envelope.Items
		}
		wait := n.publish(ctx, &m)
		if ctx.Err() != nil || pause.For(ctx, wait) != nil {
			return
		}
	}
}

// waitToSend waits until the sender is woken, or until nextAt if that is set. It reports false if ctx
// ended first.
func (n *Node) waitToSend(ctx context.Context, nextAt time.Time) bool {
	var due <-chan time.Time
	if !nextAt.IsZero() {
		timer := time.NewTimer(time.Until(nextAt))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-n.wake:
	case <-due:
	case <-ctx.Done():
		return false
	}
	return true
}

// publish sends a message and returns how long to wait before the next one.
func (n *Node) publish(ctx context.Context, m *message) (wait time.Duration) {
	publishing, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	began := time.Now()
	body, err := m.envelope.encode()
	size := len(body)
	switch {
	case err != nil:
	case m.gather:
		err = n.gatherer.Gather(publishing, body)
	default:
		err = n.bus.Publish(publishing, Message{To: m.to, Also: m.also, Body: body})
	}
	if observe := n.options.Observer.Published; observe != nil {
		observe(Publication{Traces: m.traces, Entries: m.count, Bytes: size, Began: began, Err: err})
	}
	if err != nil && ctx.Err() != nil {
		return 0
	}
	n.mu.Lock()
	wait = n.protocol.published(time.Now(), m, size, err)
	n.unlock()
	if err == nil {
		n.completeGathered(m.gathered)
	}
	if observe := n.options.Observer.Batch; err == nil && m.count > 0 && observe != nil {
		observe(m.count, size)
	}
	return wait
}
