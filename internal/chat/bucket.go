package chat

import "time"

// limit is a rate, and how many may come at once. One with a rate of 0, or a negative one, limits nothing.
type limit struct{ rate, burst float32 }

func newLimit(rate, burst float64) limit {
	return limit{rate: float32(rate), burst: max(float32(burst), 1)}
}

// bucket is what somebody has taken of a limit; at first, nothing. It is small, as there are two for each client.
type bucket struct {
	taken float32
	at    time.Duration // when so much was taken, since the chat was made
}

// take takes one. If there is none it returns after how long there will be.
func (b *bucket) take(l limit, now time.Duration) (wait time.Duration, ok bool) {
	if l.rate <= 0 {
		return 0, true
	}
	b.taken = max(0, b.taken-l.rate*float32((now-b.at).Seconds()))
	b.at = now
	if missing := b.taken + 1 - l.burst; missing > 0 {
		return time.Duration(float64(missing/l.rate) * float64(time.Second)), false
	}
	b.taken++
	return 0, true
}
