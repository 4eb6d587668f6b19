package broker

import (
	"sync/atomic"
	"time"
)

// place says where a record stands in its source.
type place uint8

const (
	ready     place = iota // waits for a receiver
	locked                 // held by a receiver under a lock
	deferred               // set aside by a receiver
	scheduled              // not due yet
	transfer               // on its way to the entity of ForwardTo
	gone                   // completed, expired, moved or handed to a ReceiveAndDelete receiver
)

// record is one message in one source: the part that subscriptions do not share. The source's mutex guards it. Times
// are Unix nanoseconds, 0 for none: they are a third of time.Time's size, and there may be millions.
type record struct {
	msg         *Message
	share       *share // nil for a message only one source holds
	seq         int64
	enqueuedSeq int64
	enqueued    int64
	expires     int64
	due         int64
	lockedUntil int64
	token       UUID
	session     *session
	holder      *Receiver // that it is locked for; may be closed by now
	prev, next  *record   // in the lockList

	deadLetterSource string
	ttl              time.Duration
	heapIndex        int32 // in the deadlines of its source; -1 if it is not in it
	count            uint32
	place            place
	hops             uint8 // how often it was forwarded
	unlisted         bool  // a second copy made by a fault: not in the log, not counted
	wasDeferred      bool  // locked by its number: goes back to deferred
}

// share is what the copies of one message in several subscriptions have in common: they are counted once.
type share struct {
	refs atomic.Int32
}

// account counts the bytes of an entity: a queue with its subqueues, or a topic with its subscriptions.
type account struct {
	used    atomic.Int64 // bytes of messages, each counted once, and of session states
	records atomic.Int64 // copies of messages
}

// recordOverhead is the least that a copy of a message counts against the size of an entity, in bytes, so that
// the smallest messages cannot use up the memory. It is about what a record needs.
const recordOverhead = 256

// admits reports whether the entity has room for more bytes and copies.
func (a *account) admits(bytes, copies, limit int64) bool {
	return a.used.Load()+bytes <= limit && (a.records.Load()+copies)*recordOverhead <= limit
}

func (a *account) release(rec *record) {
	if rec.share == nil || rec.share.refs.Add(-1) == 0 {
		a.used.Add(-int64(rec.msg.Size))
	}
}

func unixTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func (rec *record) state() State {
	switch {
	case rec.place == deferred, rec.place == locked && rec.wasDeferred:
		return Deferred
	case rec.place == scheduled:
		return Scheduled
	}
	return Active
}

func (rec *record) delivery() Delivery {
	return Delivery{
		Message: rec.msg, SequenceNumber: rec.seq, EnqueuedSequenceNumber: rec.enqueuedSeq,
		EnqueuedTime: unixTime(rec.enqueued), ScheduledTime: unixTime(rec.due), TTL: rec.ttl, DeliveryCount: rec.count,
		LockToken: rec.token, LockedUntil: unixTime(rec.lockedUntil), State: rec.state(), DeadLetterSource: rec.deadLetterSource,
	}
}
