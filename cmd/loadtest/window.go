package main

import (
	"context"
	"sync/atomic"
	"time"
)

// window keeps the number of messages under way constant: as fast as they are delivered, others follow.
type window struct {
	// immutable
	full      int64 // deliveries under way when the window is full
	receivers int64 // deliveries that one message causes

	underWay atomic.Int64  // deliveries that have not come
	half     chan struct{} // wakes the senders once half the window is free
}

func newWindow(messages, receivers int) *window {
	return &window{full: int64(messages) * int64(receivers), receivers: int64(receivers), half: make(chan struct{}, 1)}
}

// delivered counts n deliveries. It may be called from any goroutine.
func (w *window) delivered(n int64) {
	if w.underWay.Add(-n) > w.full/2 {
		return
	}
	select {
	case w.half <- struct{}{}:
	default:
	}
}

// sendInWindow keeps w full until ctx ends, limit messages are sent (0 is no limit), or nothing has
// been delivered for as long as patience.
func sendInWindow(ctx context.Context, senders []*sender, w *window, limit int,
	patience time.Duration) (pacing, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	sent := 0
	for limit == 0 || sent < limit {
		if free := w.free(); free > 0 {
			if limit > 0 {
				free = min(free, limit-sent)
			}
			if err := sendBatch(senders, w, sent, free); err != nil {
				return pacing{}, err
			}
			sent += free
		}
		timer.Reset(patience)
		select {
		case <-ctx.Done():
			return pacing{}, nil
		case <-timer.C:
			return pacing{stall: true}, nil
		case <-w.half:
		}
	}
	return pacing{}, nil
}

// free returns how many messages may be sent now: none until half the window is free, so that they
// leave in batches.
func (w *window) free() int {
	n := int((w.full - w.underWay.Load()) / w.receivers)
	if 2*n*int(w.receivers) < int(w.full) {
		return 0
	}
	return n
}

// sendBatch sends n messages, of each sender in turn. sent is the number of messages before them.
func sendBatch(senders []*sender, w *window, sent, n int) error {
	w.underWay.Add(int64(n) * w.receivers)
	at := time.Since(senders[0].client.load.epoch)
	for i := range n {
		senders[(sent+i)%len(senders)].add(at)
	}
	for i := range min(n, len(senders)) {
		if err := senders[(sent+i)%len(senders)].flush(); err != nil {
			return err
		}
	}
	return nil
}
