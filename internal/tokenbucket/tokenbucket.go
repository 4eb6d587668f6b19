// Package tokenbucket limits rates with buckets of eight bytes or so, small enough to keep two for each client of a
// server. It reads no clock: the caller says what time it is.
package tokenbucket

import "time"

// Limit is a rate in tokens a second, and how many tokens a full bucket holds. A Limit whose Rate is not positive
// limits nothing.
type Limit struct{ Rate, Burst float32 }

// NewLimit returns a Limit with room for at least one token.
func NewLimit(rate, burst float64) Limit {
	return Limit{Rate: float32(rate), Burst: max(float32(burst), 1)}
}

// Bucket counts the tokens taken under a Limit. The zero value is a full bucket. It is not safe for concurrent use.
type Bucket struct {
	taken   float32
	seconds uint32 // with nanos: when so much was taken. In two parts a Bucket needs 12 bytes, and not 16.
	nanos   uint32
}

func (b *Bucket) at() time.Duration {
	return time.Duration(b.seconds)*time.Second + time.Duration(b.nanos)
}

func (b *Bucket) setAt(now time.Duration) {
	b.seconds, b.nanos = uint32(now/time.Second), uint32(now%time.Second)
}

// Take takes one token. If there is none it takes nothing and returns the time until there is one. now is the time
// since an origin of the caller's choice, the same for all calls of a bucket.
func (b *Bucket) Take(l Limit, now time.Duration) (wait time.Duration, ok bool) {
	return b.TakeN(l, 1, now)
}

// TakeN takes n tokens or none. A full bucket gives more than it holds, and then is in debt.
func (b *Bucket) TakeN(l Limit, n float64, now time.Duration) (wait time.Duration, ok bool) {
	if l.Rate <= 0 {
		return 0, true
	}
	b.refill(l, now)
	if missing := b.taken + float32(n) - l.Burst; missing > 0 && b.taken > 0 {
		return l.timeFor(min(missing, b.taken)), false
	}
	b.taken += float32(n)
	return 0, true
}

// PutBack puts back n tokens that were taken, as if they had not been.
func (b *Bucket) PutBack(n float64) { b.taken = max(0, b.taken-float32(n)) }

// Used returns the part of a full bucket that is missing: 0 of one that is full, 1 of one that has nothing to give.
func (b *Bucket) Used(l Limit, now time.Duration) float64 {
	if l.Rate <= 0 {
		return 0
	}
	taken := b.taken - l.Rate*float32((now-b.at()).Seconds())
	return float64(min(max(taken/l.Burst, 0), 1))
}

// Borrow takes one token even if there is none, and returns the time until the bucket is out of debt, for a caller
// that waits so long. The debt grows until it takes most to pay: callers that do not wait, as they are many or have
// gone, would otherwise have others pay for a long time.
func (b *Bucket) Borrow(l Limit, now, most time.Duration) (wait time.Duration) {
	if l.Rate <= 0 {
		return 0
	}
	b.refill(l, now)
	b.taken = min(b.taken+1, l.Burst+l.Rate*float32(most.Seconds()))
	return l.timeFor(max(0, b.taken-l.Burst))
}

// refill puts back what has come in since the last call. A clock that went backwards puts back nothing.
func (b *Bucket) refill(l Limit, now time.Duration) {
	b.taken = max(0, b.taken-l.Rate*float32(max(0, now-b.at()).Seconds()))
	b.setAt(now)
}

func (l Limit) timeFor(tokens float32) time.Duration {
	return time.Duration(float64(tokens/l.Rate) * float64(time.Second))
}
