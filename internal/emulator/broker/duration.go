package broker

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// unlimitedText is the service's form of [Unlimited]: the largest TimeSpan of .NET.
const unlimitedText = "P10675199DT2H48M5.4775807S"

const day = 24 * time.Hour

// ParseDuration parses a duration of ISO 8601 as .NET does: a year has 365 days and a month 30. A
// duration above 292 years is [Unlimited]. Negative durations are refused.
func ParseDuration(text string) (time.Duration, error) {
	invalid := func() (time.Duration, error) {
		return 0, errorf(CodeInvalidArgument, "The value '%.100s' is not a duration of ISO 8601, like PT1M30S.", text)
	}
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || len(text) > 64 {
		return invalid()
	}
	var total float64 // in seconds, to detect an overflow
	var exact time.Duration
	units, inTime := "YMD", false
	for rest != "" {
		if rest[0] == 'T' && !inTime {
			units, inTime, rest = "HMS", true, rest[1:]
			if rest == "" {
				return invalid()
			}
			continue
		}
		n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && !isDigit(r) })
		if n <= 0 {
			return invalid()
		}
		place := strings.IndexByte(units, rest[n])
		if place < 0 {
			return invalid()
		}
		unit := unitOf(rest[n], inTime)
		units = units[place+1:]
		whole, fraction, hasFraction := strings.Cut(rest[:n], ".")
		if hasFraction && (rest[n] != 'S' || fraction == "" || whole == "" || strings.Contains(fraction, ".")) {
			return invalid()
		}
		value, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return invalid()
		}
		total += float64(value) * unit.Seconds()
		exact += time.Duration(value)*unit + nanoseconds(fraction)
		rest = rest[n+1:]
	}
	if len(text) == 1 {
		return invalid()
	}
	if total >= float64(math.MaxInt64/int64(time.Second)) {
		return Unlimited, nil
	}
	return exact, nil
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

func unitOf(letter byte, inTime bool) time.Duration {
	switch {
	case letter == 'Y':
		return 365 * day
	case letter == 'M' && !inTime:
		return 30 * day
	case letter == 'D':
		return day
	case letter == 'H':
		return time.Hour
	case letter == 'M':
		return time.Minute
	}
	return time.Second
}

// nanoseconds parses the digits after the point of a number of seconds. It ignores all digits after the ninth.
func nanoseconds(fraction string) time.Duration {
	digits := (fraction + "000000000")[:9]
	n, _ := strconv.Atoi(digits) // the caller has checked that these are digits
	return time.Duration(n)
}

// FormatDuration formats a duration as .NET does: PT1M30S, P14D, PT0S. It truncates to 100 ns.
func FormatDuration(d time.Duration) string {
	if d == Unlimited {
		return unlimitedText
	}
	if d < 100 {
		return "PT0S"
	}
	b := []byte{'P'}
	part := func(unit time.Duration, letter byte) {
		if n := d / unit; n > 0 {
			b = append(strconv.AppendInt(b, int64(n), 10), letter)
			d -= n * unit
		}
	}
	part(day, 'D')
	if d < 100 {
		return string(b)
	}
	b = append(b, 'T')
	part(time.Hour, 'H')
	part(time.Minute, 'M')
	if d >= 100 {
		b = strconv.AppendInt(b, int64(d/time.Second), 10)
		if ticks := d % time.Second / 100; ticks > 0 {
			digits := strconv.FormatInt(int64(ticks)+10_000_000, 10)[1:]
			b = append(append(b, '.'), strings.TrimRight(digits, "0")...)
		}
		b = append(b, 'S')
	}
	return string(b)
}
