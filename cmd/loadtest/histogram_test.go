package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsAreNarrowAndWithoutGaps(t *testing.T) {
	last := -1
	for i := range bucketCount - 1 {
		upper := upperBound(i)
		if got := bucketOf(upper); got != i {
			t.Fatalf("bucketOf(%d) = %d, want %d", upper, got, i)
		}
		if got := bucketOf(upper + 1); got != i+1 {
			t.Fatalf("bucketOf(%d) = %d, want %d", upper+1, got, i+1)
		}
		if width := int(upper) - last; width > 1 && float64(width) > float64(upper)/bucketsPerTwo {
			t.Fatalf("bucket %d up to %d is %d wide", i, upper, width)
		}
		last = int(upper)
	}
}

func TestQuantile(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h, other histogram
	samples := make([]time.Duration, 10_000)
	for i := range samples {
		samples[i] = time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		if i%2 == 0 {
			h.record(samples[i])
		} else {
			other.record(samples[i])
		}
	}
	h.add(&other)
	slices.Sort(samples)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		truth := samples[max(int(q*float64(len(samples)))-1, 0)]
		got := h.quantile(q)
		if got < truth || float64(got) > float64(truth)*(1+1.0/bucketsPerTwo)+1 {
			t.Errorf("quantile(%v) = %v, want %v to 1/%d above", q, got, truth, bucketsPerTwo)
		}
	}
	if h.max != samples[len(samples)-1] || h.total != uint64(len(samples)) {
		t.Errorf("max %v of %d samples, want %v of %d", h.max, h.total, samples[len(samples)-1], len(samples))
	}
}

func TestHistogramEdges(t *testing.T) {
	var h histogram
	if got := h.quantile(0.99); got != 0 {
		t.Errorf("quantile of nothing = %v, want 0", got)
	}
	h.record(-time.Second)
	if got := h.quantile(1); got != 0 {
		t.Errorf("quantile of a negative sample = %v, want 0", got)
	}
	h.record(200 * time.Hour)
	if got := h.quantile(1); got > 200*time.Hour || got < time.Hour {
		t.Errorf("quantile of 200 hours = %v, want more than an hour", got)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	h := new(histogram)
	if n := testing.AllocsPerRun(100, func() { h.record(1234567) }); n != 0 {
		t.Errorf("record allocates %v times, want 0", n)
	}
}
