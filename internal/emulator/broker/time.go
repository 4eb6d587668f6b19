package broker

import (
	"math"
	"time"
)

// minTTL returns the shorter of two times to live, where 0 and Unlimited mean none.
func minTTL(a, b time.Duration) time.Duration {
	if b == Unlimited {
		b = 0
	}
	if a == Unlimited {
		a = 0
	}
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// addTime adds without overflow. It returns 0, which means never, for a time beyond the year 2262.
func addTime(now int64, d time.Duration) int64 {
	if int64(d) > math.MaxInt64-now {
		return 0
	}
	return now + int64(d)
}

// instant returns t in Unix nanoseconds, clamped to the range from 0 to the year 2262.
func instant(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, 1)):
		return 0
	case t.Year() > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}
