package servicebus

import "sync/atomic"

// Operations count what was asked of Service Bus since the bus was made: what it bills, and what it throttles.
type Operations struct {
	Sends     uint64 // messages sent, in units of 64 KiB as they are billed
	Receives  uint64 // messages received
	Completes uint64 // messages completed or dead-lettered
	Peeks     uint64 // calls that peek
	Manages   uint64 // calls of management: 10 credits each where credits are counted
}

// Total is the operations that are billed.
func (o Operations) Total() uint64 {
	return o.Sends + o.Receives + o.Completes + o.Peeks + o.Manages
}

// Counters are figures of a bus, for metrics. They only grow.
type Counters struct {
	Operations
	Holes        uint64 // sequence numbers missing when their successors came
	Repeats      uint64 // messages delivered again, and dropped
	DeadLettered uint64 // bodies that could not be decoded
	Rebuilds     uint64 // clients made anew after a failure
	Subscribed   uint64 // times a subscription was made: 1 is a quiet life
	Swept        uint64 // subscriptions removed that no living instance had
	Uncompleted  uint64 // completions given up: Service Bus delivers those again
}

type meter struct {
	sends, receives, completes, peeks, manages                             atomic.Uint64
	holes, repeats, deadLettered, rebuilds, subscribed, swept, uncompleted atomic.Uint64
}

// billedSize is how many bytes of a message count as one operation.
const billedSize = 64 << 10

func (m *meter) sent(size int) {
	m.sends.Add(uint64(max(1, (size+billedSize-1)/billedSize)))
}

// Counters are read without a lock: each figure is right, and they may be of slightly different moments.
func (b *Bus) Counters() Counters {
	m := &b.meter
	return Counters{
		Operations: Operations{
			Sends: m.sends.Load(), Receives: m.receives.Load(), Completes: m.completes.Load(), Peeks: m.peeks.Load(), Manages: m.manages.Load(),
		},
		Holes: m.holes.Load(), Repeats: m.repeats.Load(), DeadLettered: m.deadLettered.Load(), Rebuilds: m.rebuilds.Load(),
		Subscribed: m.subscribed.Load(), Swept: m.swept.Load(), Uncompleted: m.uncompleted.Load(),
	}
}
