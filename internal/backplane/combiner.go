package backplane

import (
	"context"
	"time"

	"chatapp/internal/pause"
)

// combine owns the calls of the bus's Combine, which waits until this instance is the combiner.
func (n *Node) combine(ctx context.Context) {
	for {
		combining, cancel := context.WithCancel(ctx)
		n.mu.Lock()
		wanted := n.protocol.combining.wanted
		n.stopCombining = cancel
		n.unlock()
		if !wanted {
			cancel()
			select {
			case <-n.combining:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := n.gatherer.Combine(combining, n.elected, func(body []byte, done func()) {
			n.takeGathered(combining, body, done)
		})
		if combining.Err() != nil {
			err = nil
		}
		cancel()
		n.mu.Lock()
		wait := n.protocol.combineEnded(time.Now(), err)
		n.unlock()
		if ctx.Err() != nil || pause.For(ctx, wait) != nil {
			return
		}
	}
}

func (n *Node) elected() {
	n.mu.Lock()
	defer n.unlock()
	n.protocol.elected(time.Now())
}

// takeGathered gives the protocol a batch of the queue. It waits while the protocol has no room for it.
// What is no batch is a call for a combiner.
func (n *Node) takeGathered(ctx context.Context, body []byte, done func()) {
	for !n.offerGathered(body, done) {
		select {
		case <-n.combined:
		case <-ctx.Done():
			return
		}
	}
}

// offerGathered reports false if the protocol has no room for a batch now.
func (n *Node) offerGathered(body []byte, done func()) bool {
	if e, err := decodeEnvelope(body); err != nil || e.Kind != kindLog {
		n.mu.Lock()
		n.protocol.called()
		n.unlock()
		done()
		return true
	}
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.gather(time.Now(), body, done)
}

// completeGathered completes in the queue what a combined message contains.
func (n *Node) completeGathered(all []gathered) {
	for _, g := range all {
		g.ticket.(func())()
	}
	if len(all) > 0 {
		wake(n.combined)
	}
}
