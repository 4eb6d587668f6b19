package backplane

import (
	"context"
	"errors"
	"slices"
)

// mostEvictTries is how often the bus is asked to remove what it keeps for an evicted instance. Nobody else asks.
const mostEvictTries = 10

// remove has the bus remove what it keeps for an evicted instance. That may take long, and log entries must not wait for it: the sender has
// no part in it.
func (n *Node) remove(instance string) {
	if n.evictor == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Contains(n.evicted, instance) {
		n.evicted = append(n.evicted, instance)
	}
	select {
	case n.evicting <- struct{}{}:
	default:
	}
}

// evictRemains owns the calls of the bus's Evict, one at a time.
func (n *Node) evictRemains(ctx context.Context) {
	var pace pacer
	last, tries := "", 0
	for {
		instance := n.nextEvicted()
		if instance == "" {
			select {
			case <-n.evicting:
				continue
			case <-ctx.Done():
				return
			}
		}
		if instance != last {
			last, tries = instance, 0
		}
		err := n.evictFromBus(ctx, instance)
		if ctx.Err() != nil {
			return
		}
		if tries++; err != nil && tries >= mostEvictTries {
			n.options.Logger.Error("what the bus keeps for an evicted instance can't be removed", "instance", instance, "err", err)
		}
		if err == nil || tries >= mostEvictTries {
			n.keep(instance)
			last = ""
		}
		if !pause(ctx, pace.after(err, n)) {
			return
		}
	}
}

// nextEvicted is whose remains are to be removed; "" for nobody's.
func (n *Node) nextEvicted() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.evicted) == 0 {
		return ""
	}
	return n.evicted[0]
}

// keep ends remove: it is done, or given up, or the instance has joined again and needs what the bus keeps.
func (n *Node) keep(instance string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.evicted = slices.DeleteFunc(n.evicted, func(name string) bool { return name == instance })
}

// evictFromBus asks the bus once.
func (n *Node) evictFromBus(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	err := n.evictor.Evict(ctx, instance)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case errors.Is(err, ErrBusy):
		n.counters.Busy++
	case err != nil:
		n.counters.Failures++
	}
	return err
}
