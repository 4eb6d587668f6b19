package emulator

import (
	"math"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
)

// The descriptors by which the SDKs encode types of .NET in application properties. The values are ticks of 100 ns,
// ticks since the year 1 in UTC, and a text.
const (
	typeTimeSpan       amqp.Symbol = "com.microsoft:timespan"
	typeDateTimeOffset amqp.Symbol = "com.microsoft:datetime-offset"
	typeURI            amqp.Symbol = "com.microsoft:uri"
)

// brokerValue converts the value of an application property to one that the broker's filters understand. A value that
// would not come back as it is becomes a broker.TypedValue.
func brokerValue(v any) any {
	typed := func(value any, ok bool) any {
		if !ok {
			return v
		}
		return broker.TypedValue{Value: value, Wire: v}
	}
	switch v := v.(type) {
	case amqp.UUID:
		return broker.UUID(v)
	case amqp.Symbol:
		return typed(string(v), true)
	case amqp.Char:
		return typed(string(rune(v)), true)
	case amqp.Decimal32:
		return typed(v.Float())
	case amqp.Decimal64:
		return typed(v.Float())
	case amqp.Decimal128:
		return typed(v.Float())
	case amqp.Described:
		return typed(dotNetValue(v))
	}
	return v
}

// dotNetValue returns the value of a described type that the SDKs use, and whether it is one.
func dotNetValue(v amqp.Described) (any, bool) {
	ticks, isLong := v.Value.(int64)
	switch v.Descriptor {
	case typeTimeSpan:
		if isLong && ticks <= math.MaxInt64/100 && ticks >= math.MinInt64/100 {
			return time.Duration(ticks) * 100, true
		}
	case typeDateTimeOffset:
		if isLong {
			return timeOfTicks(ticks), true
		}
	case typeURI:
		text, ok := v.Value.(string)
		return text, ok
	}
	return nil, false
}

// timeOfTicks converts .NET ticks to a time.
func timeOfTicks(ticks int64) time.Time {
	since := ticks - unixEpochTicks
	return time.Unix(since/1e7, since%1e7*100).UTC()
}

// wireValue is the reverse of brokerValue. It also encodes what an action computes.
func wireValue(v any) any {
	switch v := v.(type) {
	case broker.TypedValue:
		return v.Wire
	case broker.UUID:
		return amqp.UUID(v)
	case int:
		return int64(v)
	case time.Duration:
		return amqp.Described{Descriptor: typeTimeSpan, Value: int64(v / 100)}
	}
	return v
}
