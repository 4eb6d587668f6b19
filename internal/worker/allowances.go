package worker

import (
	"chatapp/internal/allowance"
	"chatapp/internal/tokenbucket"
)

// AllowanceConfig limits what one address may use of this instance, a second. 0: no limit. An office of a thousand
// people behind one address uses less of everything.
type AllowanceConfig struct {
	Messages     float64 // MESSAGE_RATE_PER_ADDRESS
	Requests     float64 // REQUEST_RATE_PER_ADDRESS: other events
	Refusals     float64 // REFUSAL_RATE_PER_ADDRESS: events and packets that are refused
	Connects     float64 // CONNECT_RATE_PER_ADDRESS
	HTTPRequests float64 // HTTP_RATE_PER_ADDRESS
	Bytes        float64 // BYTE_RATE_PER_ADDRESS: received
	Rooms        float64 // ROOM_RATE_PER_ADDRESS: made
}

// allowances reads the limits by address. MESSAGE_RATE=0 turns off all that are not set: it asks for a server that
// limits nobody, for measuring.
func (v *variables) allowances(messageRate float64) AllowanceConfig {
	c := AllowanceConfig{Messages: 20 * messageRate}
	if messageRate > 0 {
		c.Requests, c.Refusals, c.Connects, c.HTTPRequests, c.Bytes, c.Rooms = 200, 100, 100, 500, 2_000_000, 5
	}
	return AllowanceConfig{
		Messages:     v.number("MESSAGE_RATE_PER_ADDRESS", c.Messages),
		Requests:     v.number("REQUEST_RATE_PER_ADDRESS", c.Requests),
		Refusals:     v.number("REFUSAL_RATE_PER_ADDRESS", c.Refusals),
		Connects:     v.number("CONNECT_RATE_PER_ADDRESS", c.Connects),
		HTTPRequests: v.number("HTTP_RATE_PER_ADDRESS", c.HTTPRequests),
		Bytes:        v.number("BYTE_RATE_PER_ADDRESS", c.Bytes),
		Rooms:        v.number("ROOM_RATE_PER_ADDRESS", c.Rooms),
	}
}

// burstSeconds is how many seconds' worth of an allowance may be used at once: after an outage, everybody in an office
// comes back at the same time. Of messages it is two, as for each user.
const burstSeconds = 20

func (c *AllowanceConfig) limits() allowance.Limits {
	burst := func(rate float64) tokenbucket.Limit { return tokenbucket.NewLimit(rate, burstSeconds*rate) }
	return allowance.Limits{
		allowance.Messages:     tokenbucket.NewLimit(c.Messages, 2*c.Messages),
		allowance.Requests:     burst(c.Requests),
		allowance.Refusals:     burst(c.Refusals),
		allowance.Connects:     burst(c.Connects),
		allowance.HTTPRequests: burst(c.HTTPRequests),
		allowance.HTTPPace:     tokenbucket.NewLimit(2*c.HTTPRequests, max(100, c.HTTPRequests/5)),
		allowance.Kilobytes:    burst(c.Bytes / 1024),
		allowance.Rooms:        burst(c.Rooms),
	}
}

// sessionFrames and sessionRefusals limit one connection, whatever its address. A person types no faster.
func sessionFrames() tokenbucket.Limit   { return tokenbucket.NewLimit(100, 1000) }
func sessionRefusals() tokenbucket.Limit { return tokenbucket.NewLimit(10, 100) }
