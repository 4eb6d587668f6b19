package backplane

import (
	"context"
	"time"
)

// evict owns the calls of the bus's Evict, one at a time.
func (n *Node) evict(ctx context.Context) {
	for {
		n.mu.Lock()
		instance, ok := n.protocol.nextEviction()
		n.unlock()
		if !ok {
			select {
			case <-n.evicting:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := n.evictFromBus(ctx, instance)
		if ctx.Err() != nil {
			return
		}
		n.mu.Lock()
		wait := n.protocol.evicted(time.Now(), instance, err)
		n.unlock()
		if !pause(ctx, wait) {
			return
		}
	}
}

// evictFromBus asks the bus once.
func (n *Node) evictFromBus(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	return n.evictor.Evict(ctx, instance)
}
