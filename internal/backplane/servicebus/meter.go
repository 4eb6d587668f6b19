package servicebus

import "sync/atomic"

// Operations counts the operations since New that Service Bus bills and throttles.
type Operations struct {
	Sends     uint64 // messages sent, in units of 64 KiB as they are billed
	Receives  uint64 // messages received
	Completes uint64 // messages completed or dead-lettered
	Peeks     uint64 // calls that peek, or renew the lock of a session
	Manages   uint64 // calls of management: 10 credits each where credits are counted
}

// Total returns the number of billed operations.
func (o Operations) Total() uint64 {
	return o.Sends + o.Receives + o.Completes + o.Peeks + o.Manages
}

// Counters holds counts for metrics. They only grow.
type Counters struct {
	Operations
	Gaps         uint64 // sequence numbers missing when their successors came
	Repeats      uint64 // messages delivered again, and dropped
	DeadLettered uint64 // bodies that could not be decoded
	Rebuilds     uint64 // clients replaced after a failure
	Subscribed   uint64 // subscriptions created; more than 1 means that one was deleted
	Swept        uint64 // orphaned subscriptions removed
	Uncompleted  uint64 // completions abandoned; Service Bus delivers those messages again
}

type meter struct {
	sends, receives, completes, peeks, manages                            atomic.Uint64
	gaps, repeats, deadLettered, rebuilds, subscribed, swept, uncompleted atomic.Uint64
}

// billedSize is the number of bytes of a message that count as one operation.
const billedSize = 64 << 10

func (m *meter) sent(size int) {
	m.sends.Add(uint64(max(1, (size+billedSize-1)/billedSize)))
}

// Counters returns the counts without taking a lock, so they may be of slightly different moments.
func (b *Bus) Counters() Counters {
	m := &b.meter
	return Counters{
		Operations: Operations{
			Sends: m.sends.Load(), Receives: m.receives.Load(), Completes: m.completes.Load(),
			Peeks: m.peeks.Load(), Manages: m.manages.Load(),
		},
		Gaps: m.gaps.Load(), Repeats: m.repeats.Load(),
		DeadLettered: m.deadLettered.Load(), Rebuilds: m.rebuilds.Load(),
		Subscribed: m.subscribed.Load(), Swept: m.swept.Load(), Uncompleted: m.uncompleted.Load(),
	}
}
