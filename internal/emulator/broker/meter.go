package broker

import (
	"sync"
	"sync/atomic"
)

// Usage counts operations of a namespace since its start.
type Usage struct {
	Sent      int64 // messages sent, each of a batch
	Received  int64 // messages handed to receivers
	Completed int64 // messages completed
	Settled   int64 // messages abandoned, deferred, dead-lettered or released
	Peeked    int64 // messages peeked
	Filters   int64 // filters evaluated
	Managed   int64 // management operations
	// Credits is what the Standard tier would charge: 1 for a message sent, received or settled and for a filter
	// evaluated, 10 for a management operation ("Throttling operations on Azure Service Bus").
	Credits int64
}

// meter counts operations, and throttles them if limit is set.
type meter struct {
	sends, receives, completions, settlements, peeks, filters, managed, credits atomic.Int64

	busyUntil atomic.Int64
	limit     atomic.Int64 // credits per second; 0 means no throttling
	now       func() int64

	mu sync.Mutex
	// mu guards
	second int64 // Unix time that spent belongs to
	spent  int64
}

// charge spends credits. It refuses a refusable operation while the namespace is busy or has spent the credits of the
// current second. Other operations have happened already.
func (m *meter) charge(credits int64, refusable bool) error {
	if refusable && m.busyUntil.Load() > m.now() {
		return errBusy()
	}
	m.credits.Add(credits)
	limit := m.limit.Load()
	if limit == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if second := m.now() / 1e9; second != m.second {
		m.second, m.spent = second, 0
	}
	if refusable && m.spent >= limit {
		m.credits.Add(-credits)
		return errBusy()
	}
	m.spent += credits
	return nil
}

func errBusy() *Error {
	return &Error{CodeServerBusy,
		"The request was terminated because the namespace is being throttled. Error code : 50009. " +
			"Please wait 2 seconds and try again."}
}

// chargeSend charges for messages and for the filters evaluated for each.
func (m *meter) chargeSend(messages, evaluations int, refusable bool) error {
	if err := m.charge(int64(messages+messages*evaluations), refusable); err != nil {
		return err
	}
	m.sends.Add(int64(messages))
	m.filters.Add(int64(messages * evaluations))
	return nil
}

// received, peeked and settled charge for operations that have happened already and can't be refused.
func (m *meter) received(n int) {
	m.receives.Add(int64(n))
	_ = m.charge(int64(n), false)
}

func (m *meter) peeked(n int) {
	m.peeks.Add(int64(n))
	_ = m.charge(int64(n), false)
}

func (m *meter) settled(how Outcome) {
	if how == Complete {
		m.completions.Add(1)
	} else {
		m.settlements.Add(1)
	}
	_ = m.charge(1, false)
}

func (m *meter) management() error {
	if err := m.charge(10, true); err != nil {
		return err
	}
	m.managed.Add(1)
	return nil
}

// Usage returns the counts so far.
func (b *Broker) Usage() Usage {
	m := &b.meter
	return Usage{
		Sent: m.sends.Load(), Received: m.receives.Load(), Completed: m.completions.Load(),
		Settled: m.settlements.Load(),
		Peeked:  m.peeks.Load(), Filters: m.filters.Load(), Managed: m.managed.Load(), Credits: m.credits.Load(),
	}
}

// Throttle limits the namespace to a number of credits per second; the Standard tier has 1,000, and
// 0 means no limit. Sends and management operations beyond it are refused with [CodeServerBusy].
// Deliveries and settlements spend credits but are not refused.
func (b *Broker) Throttle(creditsPerSecond int) {
	b.meter.limit.Store(int64(creditsPerSecond))
}

// ChargeManagement counts one management operation, and refuses it while the namespace is busy. The other methods of
// [Broker] do not call it: the server of the client's request must.
func (b *Broker) ChargeManagement() error { return b.meter.management() }
