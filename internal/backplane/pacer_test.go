package backplane

import (
	"testing"
	"time"
)

func TestPacerSharesTheRate(t *testing.T) {
	const rate = 10
	var p pacer
	now := someTime
	for i := range sendBurst {
		if wait := p.share(now, rate); wait != 0 {
			t.Errorf("operation %d of a burst waits %v, want it to go at once", i, wait)
		}
	}
	// Busy: each waits for its share, however many have gone before.
	for range 100 {
		wait := p.share(now, rate).Round(time.Millisecond)
		if wait != time.Second/rate {
			t.Fatalf("wait = %v, want %v", wait, time.Second/rate)
		}
		now = now.Add(wait)
	}
	now = now.Add(time.Second/rate + time.Millisecond)
	if wait := p.share(now, rate); wait != 0 {
		t.Errorf("wait = %v after a pause as long as a share, want none", wait)
	}
	if wait := p.share(now, 0); wait != 0 {
		t.Errorf("wait = %v without a limit, want none", wait)
	}
}
