package chat

import "time"

// bucket limits a rate: it fills with time, and each thing done takes one out. The zero value, and one with a negative
// rate, limits nothing.
type bucket struct {
	rate, burst float32 // a second; at most so many at once
	level       float32
	at          time.Time // when level was so
}

func newBucket(rate, burst float64) bucket {
	return bucket{rate: float32(rate), burst: max(float32(burst), 1), level: max(float32(burst), 1)}
}

// take takes one out. If there is none it returns after how long there will be.
func (b *bucket) take(now time.Time) (wait time.Duration, ok bool) {
	if b.rate <= 0 {
		return 0, true
	}
	if !b.at.IsZero() {
		b.level = min(b.burst, b.level+b.rate*float32(now.Sub(b.at).Seconds()))
	}
	b.at = now
	if b.level < 1 {
		return time.Duration(float64((1-b.level)/b.rate) * float64(time.Second)), false
	}
	b.level--
	return 0, true
}
