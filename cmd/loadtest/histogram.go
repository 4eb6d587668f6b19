package main

import (
	"math/bits"
	"time"
)

// A bucket is one 64th of a power of two wide: a percentile is at most 1.6 % above the truth.
// Durations below 64 ns have a bucket each.
const (
	bucketBits    = 6
	bucketsPerTwo = 1 << bucketBits
	maxOctaves    = 36 // up to 2^42 ns, more than an hour
	bucketCount   = (maxOctaves + 1) * bucketsPerTwo
)

// histogram counts durations without allocating. Its zero value is ready; it is not safe for
// concurrent use.
type histogram struct {
	counts [bucketCount]uint64
	total  uint64
	max    time.Duration
}

// record adds one sample; a negative one counts as zero.
func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)]++
	h.total++
	h.max = max(h.max, d)
}

func bucketOf(d time.Duration) int {
	octave := bits.Len64(uint64(d)) - bucketBits - 1
	if octave <= 0 {
		return int(d)
	}
	// The top bit of d is implied by the octave; the next bucketBits choose the bucket.
	return min((octave<<bucketBits)+int(d>>octave), bucketCount-1)
}

// upperBound is the longest duration that falls into bucket i.
func upperBound(i int) time.Duration {
	if i < 2*bucketsPerTwo {
		return time.Duration(i)
	}
	octave := i>>bucketBits - 1
	return time.Duration(i-(octave<<bucketBits)+1)<<octave - 1
}

// add counts the samples of other too.
func (h *histogram) add(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// quantile returns the duration that the share q of all samples does not exceed; 0 without samples.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q * float64(h.total))
	if float64(rank) < q*float64(h.total) {
		rank++
	}
	rank = min(max(rank, 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(upperBound(i), h.max)
		}
	}
	return h.max
}
