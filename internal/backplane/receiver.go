package backplane

import (
	"context"
	"errors"
	"time"

	"chatapp/internal/pause"
)

// receive hands to the loop what the bus delivers. It calls Receive again whenever that returns, or
// when the protocol finds that the bus has gone silent.
func (n *Node) receive(ctx context.Context) {
	for {
		delivered := false
		receiving, cancel := context.WithCancel(ctx)
		n.mu.Lock()
		n.receiveAgain = cancel
		n.unlock()
		err := n.bus.Receive(receiving, func(body []byte, enqueued time.Time) error {
			delivered = true
			return n.take(ctx, body, enqueued)
		})
		interrupted := receiving.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, ErrGap) {
			n.hand(ctx, received{err: err})
		}
		n.mu.Lock()
		wait := n.protocol.receiveEnded(time.Now(), err, delivered, interrupted)
		n.unlock()
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// take decodes a body and hands it to the loop. It returns an error if the body is of another protocol.
// A body that only a newer version can read is of this one.
func (n *Node) take(ctx context.Context, body []byte, enqueued time.Time) error {
	r := received{size: len(body), enqueued: enqueued}
	r.envelope, r.err = decodeEnvelope(body)
	n.hand(ctx, r)
	if errors.Is(r.err, ErrVersion) {
		return nil
	}
	return r.err
}

func (n *Node) hand(ctx context.Context, r received) {
	select {
	case n.inbox <- r:
	case <-ctx.Done():
	}
}
