package backplane

import (
	"context"
	"time"

	"chatapp/internal/pause"
)

// manage owns the calls of the bus's Evict and Subscriptions, one at a time.
func (n *Node) manage(ctx context.Context) {
	for {
		wait, ok := n.manageOnce(ctx)
		if ctx.Err() != nil || pause.For(ctx, wait) != nil {
			return
		}
		if ok {
			continue
		}
		select {
		case <-n.evicting:
		case <-ctx.Done():
			return
		}
	}
}

// manageOnce makes the next call. It returns how long to wait before the one after, or false if there is none to make.
func (n *Node) manageOnce(ctx context.Context) (pause time.Duration, ok bool) {
	n.mu.Lock()
	m, ok := n.protocol.nextManaging()
	n.unlock()
	if !ok || n.evictor == nil {
		return 0, false
	}
	subscriptions, err := n.callManagement(ctx, m)
	if ctx.Err() != nil {
		return 0, false
	}
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.managed(time.Now(), m, subscriptions, err), true
}

// callManagement asks the bus once.
func (n *Node) callManagement(ctx context.Context, m managing) ([]Subscription, error) {
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	if m.list {
		return n.lister.Subscriptions(ctx)
	}
	return nil, n.evictor.Evict(ctx, m.instance)
}
