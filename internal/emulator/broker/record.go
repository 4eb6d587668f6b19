package broker

import (
	"sync/atomic"
	"time"
)

// recordState is the state of a record in its source.
type recordState uint8

const (
	ready     recordState = iota // waits for a receiver
	locked                       // held by a receiver under a lock
	deferred                     // set aside by a receiver
	scheduled                    // not due yet
	transfer                     // on its way to the entity of ForwardTo
	removed                      // completed, expired, moved or handed to a ReceiveAndDelete receiver
)

// record is one message in one source: the part that the subscriptions of a topic do not share. The mutex of the source
// guards it.
type record struct {
	msg         *Message
	shared      *refCount // nil if only one source holds the message
	seq         int64
	enqueuedSeq int64
	recordTimes
	recordLock
	session *session

	deadLetterSource string
	heapIndex        int32 // in the deadlines of its source; -1 outside
	count            uint32
	state            recordState
	hops             uint8 // how often it was forwarded
	faultCopy        bool  // a second copy made by DeliverTwice: not in the log, not counted
	wasDeferred      bool  // received by sequence number: returns to deferred
}

// recordTimes are in Unix nanoseconds, 0 for none: a time.Time is three times as large, and there may be millions.
type recordTimes struct {
	enqueued int64
	expires  int64
	due      int64         // of a message that is or was scheduled
	ttl      time.Duration // a message that does not expire now may have one
}

// recordLock is the lock of a record that a receiver holds.
type recordLock struct {
	token       UUID
	lockedUntil int64     // Unix nanoseconds
	enlisted    bool      // settled in a transaction that is open: not in the lockList, its lock does not end
	holder      *Receiver // the receiver it is locked for, which may be closed by now
	prev, next  *record   // in the lockList
}

// refCount counts the copies of one message in several subscriptions, whose bytes count once.
type refCount struct {
	n atomic.Int32
}

// sizeCounter counts the bytes of an entity: a queue with its subqueues, or a topic with its subscriptions.
type sizeCounter struct {
	used    atomic.Int64 // bytes of messages, each counted once, and of session states
	records atomic.Int64 // copies of messages
}

// recordOverhead is the least that a copy of a message counts against the size of an entity, in bytes. It is about the
// memory of a record, so that many tiny messages can't exceed the limit in memory.
const recordOverhead = 256

// admits reports whether the entity has room for more bytes and copies.
func (a *sizeCounter) admits(bytes, copies, limit int64) bool {
	return a.used.Load()+bytes <= limit && (a.records.Load()+copies)*recordOverhead <= limit
}

func (a *sizeCounter) release(rec *record) {
	if rec.shared == nil || rec.shared.n.Add(-1) == 0 {
		a.used.Add(-int64(rec.msg.Size))
	}
}

func unixTime(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func (rec *record) messageState() State {
	switch {
	case rec.state == deferred, rec.state == locked && rec.wasDeferred:
		return Deferred
	case rec.state == scheduled:
		return Scheduled
	}
	return Active
}

func (rec *record) delivery() Delivery {
	return Delivery{
		Message: rec.msg, SequenceNumber: rec.seq, EnqueuedSequenceNumber: rec.enqueuedSeq,
		EnqueuedTime: unixTime(rec.enqueued), ScheduledTime: rec.msg.ScheduledEnqueueTime, TTL: rec.ttl,
		DeliveryCount: rec.count,
		LockToken:     rec.token, LockedUntil: unixTime(rec.lockedUntil), State: rec.messageState(),
		DeadLetterSource: rec.deadLetterSource,
	}
}
