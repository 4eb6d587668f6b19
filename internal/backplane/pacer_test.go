package backplane

import (
	"testing"
	"time"
)

func TestBudgetCoversWhatWasSpent(t *testing.T) {
	const rate = 100
	var b budget
	now := someTime
	if wait := b.spend(now, rate, 10); wait != 100*time.Millisecond {
		t.Errorf("wait = %v after 10 credits, want 100ms", wait)
	}
	now = now.Add(50 * time.Millisecond)
	if wait := b.spend(now, rate, 10).Round(time.Millisecond); wait != 150*time.Millisecond {
		t.Errorf("wait = %v, want what is left of the first and the second", wait)
	}
	now = now.Add(time.Hour)
	if wait := b.spend(now, rate, 1); wait != 10*time.Millisecond {
		t.Errorf("wait = %v after an hour, want nothing saved or owed from before", wait)
	}
}
