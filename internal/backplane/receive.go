package backplane

import (
	"context"
	"errors"
)

// receive hands to the loop what the bus delivers, and begins again whenever the bus gives up or has gone silent.
func (n *Node) receive(ctx context.Context) {
	var pace pacer
	for {
		delivered := false
		receiving, cancel := context.WithCancel(ctx)
		n.mu.Lock()
		n.restart = cancel
		n.mu.Unlock()
		err := n.bus.Receive(receiving, func(body []byte) error {
			delivered = true
			r := received{size: len(body)}
			r.envelope, r.err = decodeEnvelope(body)
			n.hand(ctx, r)
			if errors.Is(r.err, ErrVersion) {
				return nil // a message of this protocol, of which the loop decides
			}
			return r.err
		})
		silent := receiving.Err() != nil // the loop had enough of it
		cancel()
		if ctx.Err() != nil {
			return
		}
		n.mu.Lock()
		n.counters.Restarts++
		if !silent {
			n.counters.Failures++
		}
		n.mu.Unlock()
		if errors.Is(err, ErrGap) {
			n.hand(ctx, received{err: err})
		}
		if delivered {
			pace.retry = 0
		}
		if silent {
			continue
		}
		if err == nil {
			err = errors.New("receive ended without an error")
		}
		if !pause(ctx, pace.after(err, n)) {
			return
		}
	}
}

func (n *Node) hand(ctx context.Context, r received) {
	select {
	case n.inbox <- r:
	case <-ctx.Done():
	}
}
