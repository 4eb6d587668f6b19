package tokenbucket_test

import (
	"testing"
	"time"

	"chatapp/internal/tokenbucket"
)

func TestBurstThenRate(t *testing.T) {
	limit := tokenbucket.NewLimit(5, 10)
	var b tokenbucket.Bucket
	taken := 0
	// A client that tries every 10 ms for 10 s gets the burst and what the rate brings, and no more.
	for now := time.Duration(0); now < 10*time.Second; now += 10 * time.Millisecond {
		if _, ok := b.Take(limit, now); ok {
			taken++
		}
	}
	if taken < 59 || taken > 60 {
		t.Errorf("took %d tokens in 10 s, want 10 at once and 5 a second", taken)
	}
}

func TestRefusalNamesTheWait(t *testing.T) {
	limit := tokenbucket.NewLimit(2, 1)
	var b tokenbucket.Bucket
	if _, ok := b.Take(limit, time.Hour); !ok {
		t.Fatal("a full bucket refused")
	}
	wait, ok := b.Take(limit, time.Hour)
	if ok || wait != 500*time.Millisecond {
		t.Fatalf("Take = %v, %v; want 500ms, false", wait, ok)
	}
	if _, ok := b.Take(limit, time.Hour+wait-time.Millisecond); ok {
		t.Error("took before the wait was over")
	}
	if _, ok := b.Take(limit, time.Hour+wait); !ok {
		t.Error("refused after the wait was over")
	}
}

func TestWhatIsPutBackWasNeverTaken(t *testing.T) {
	limit := tokenbucket.NewLimit(1, 4)
	var b tokenbucket.Bucket
	b.TakeN(limit, 3, time.Hour)
	b.TakeN(limit, 1, time.Hour)
	b.PutBack(1)
	if used := b.Used(limit, time.Hour); used != 0.75 {
		t.Errorf("%v of the bucket are used after one of four taken was put back, want 0.75", used)
	}
	b.TakeN(limit, 1, time.Hour+2*time.Second)
	b.PutBack(1)
	if used := b.Used(limit, time.Hour+2*time.Second); used != 0.25 {
		t.Errorf("%v are used two seconds later, want 0.25", used)
	}
	b.PutBack(9)
	if _, ok := b.TakeN(limit, 4, time.Hour+2*time.Second); !ok {
		t.Error("a bucket that is full gives less than it holds")
	}
	if _, ok := b.Take(limit, time.Hour+2*time.Second); ok {
		t.Error("a bucket that got more than it had given gives more than it holds")
	}
}

// What is larger than a bucket waits until the bucket is full, and is paid afterwards.
func TestMoreThanABucketHoldsIsPaidLater(t *testing.T) {
	limit := tokenbucket.NewLimit(1, 2)
	var b tokenbucket.Bucket
	b.Take(limit, time.Hour)
	if wait, ok := b.TakeN(limit, 16, time.Hour); ok || wait != time.Second {
		t.Errorf("TakeN of a bucket that is not full = %v, %t, want 1s, false", wait, ok)
	}
	if _, ok := b.TakeN(limit, 16, time.Hour+time.Second); !ok {
		t.Error("a full bucket gives nothing")
	}
	if wait, ok := b.Take(limit, time.Hour+time.Second); ok || wait != 15*time.Second {
		t.Errorf("Take of a bucket in debt = %v, %t, want 15s, false", wait, ok)
	}
}

func TestBorrowGoesIntoDebt(t *testing.T) {
	limit := tokenbucket.NewLimit(10, 2)
	var b tokenbucket.Bucket
	for i, want := range []time.Duration{0, 0, 100 * time.Millisecond, 200 * time.Millisecond, 200 * time.Millisecond} {
		if wait := b.Borrow(limit, 0, 200*time.Millisecond); wait.Round(time.Millisecond) != want {
			t.Errorf("Borrow %d = %v, want %v", i, wait, want)
		}
	}
	if _, ok := b.Take(limit, 200*time.Millisecond); ok {
		t.Error("took from a bucket that had just paid its debt")
	}
	if _, ok := b.Take(limit, 301*time.Millisecond); !ok {
		t.Error("refused although a token had come in")
	}
}

func TestNoRateNoLimit(t *testing.T) {
	for _, rate := range []float64{0, -1} {
		var b tokenbucket.Bucket
		limit := tokenbucket.NewLimit(rate, 0)
		for range 100 {
			if _, ok := b.Take(limit, 0); !ok {
				t.Fatalf("rate %v refused", rate)
			}
			if wait := b.Borrow(limit, 0, time.Second); wait != 0 {
				t.Fatalf("rate %v: Borrow = %v", rate, wait)
			}
		}
	}
}

func TestClockThatGoesBackwardsAddsNothing(t *testing.T) {
	limit := tokenbucket.NewLimit(1, 1)
	var b tokenbucket.Bucket
	b.Take(limit, time.Minute)
	if _, ok := b.Take(limit, 0); ok {
		t.Error("took a token although time went backwards")
	}
}
