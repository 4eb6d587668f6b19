package backplane

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Bus carries bodies between the instances. A Bus belongs to one instance. It is made under that
// instance's name, and from then on, even before the first call of Receive, it keeps for the instance
// what is published.
//
// The contract, which backplanetest.Run checks:
//
//   - Order. There is one order of messages, the topic's, and every instance receives them in it, its own
//     included. If one Publish call of an instance has returned before another began, its message comes first.
//   - At least once. A message whose Publish returned nil is delivered to every instance that was
//     there, at least once. It may be repeated, later too. A Publish that returned an error may have
//     been delivered or not.
//   - Reported gaps. When messages are lost to this instance (its subscription was deleted, or
//     overflowed, or messages expired unread), Receive returns an error that wraps ErrGap, if the bus
//     can know. Node detects the gaps that a bus can't know of.
//   - Unicast. A message with To set reaches the instance of that name. A bus without filters may deliver it to
//     others too, where Node ignores it.
//
// All methods may be called concurrently with each other, except that Receive is called by one
// goroutine at a time.
type Bus interface {
	// Instance is the name of this instance, at most MaxInstanceName bytes. It is unique among the live
	// processes. A process that is restarted under the same name must not find the clock set back.
	Instance() string

	// MaxBody is the length in bytes of the largest body that Publish takes; at least MinBody.
	MaxBody() int

	// Publish returns nil once the bus has the message, so that a crash of this instance no longer loses it. It
	// keeps no reference to the body. An error that wraps ErrBusy asks the caller to send less often. It
	// honours ctx.
	Publish(ctx context.Context, m Message) error

	// Receive calls deliver with one body after another on the calling goroutine or another, never two
	// at once, and not after it has returned. deliver may block, and holds up this instance's delivery
	// alone; it doesn't modify the body, and may keep it. enqueued is when the bus took the message, by a
	// clock that is one for all instances; zero if the bus can't tell.
	//
	// deliver returns an error for a body that is not of its protocol. Receive goes on with the next
	// body. A bus with a dead-letter queue puts the message there, with the error as the reason; others
	// drop it.
	//
	// Receive blocks until ctx ends, and then returns ctx's error, or until delivery can't go on. It
	// may be called again. It then makes a new connection, and resumes where it stopped, possibly with
	// repeats. Node does so too when the bus has gone silent. After ErrGap, the next call delivers what
	// is published from the return of this one on.
	Receive(ctx context.Context, deliver func(body []byte, enqueued time.Time) error) error
}

// Message travels on a Bus.
type Message struct {
	To   string   // name of the only instance to reach; empty: all, the sender included
	Also []string // names of more, if To is one; only on a Multicaster that reaches them
	Body []byte   // not modified by anybody once published
}

// Reaches reports whether the message is for an instance.
func (m Message) Reaches(instance string) bool {
	return m.To == "" || m.To == instance || slices.Contains(m.Also, instance)
}

// Multicaster is a Bus through which one message can reach several instances without reaching all: Message.Also.
type Multicaster interface {
	// Multicasts reports whether such a message of another instance reaches this one.
	Multicasts() bool
}

// Evictor is a Bus that keeps something for each instance, such as a subscription, which outlives a
// dead instance.
type Evictor interface {
	// Evict removes what the bus keeps for an instance that the cluster has evicted. One survivor calls
	// it. If nothing is left to remove, that is no error. Should the instance be alive after all, its
	// Receive returns ErrGap.
	Evict(ctx context.Context, instance string) error
}

// Lister is a Bus that can list what it keeps for the instances. An instance that nobody answers asks it whether the
// others are dead, and has Evictor.Evict remove what is kept for them before it goes on without them.
type Lister interface {
	// Subscriptions returns what is kept for each instance, this one included. An error that wraps ErrForbidden says
	// that the bus never tells, so that the instance has to wait instead.
	Subscriptions(ctx context.Context) ([]Subscription, error)
}

// Subscription is what a bus keeps for one instance.
type Subscription struct {
	Instance string // "": it is not known whose it is
	Unread   int64  // messages that the instance has not received, or has received and not settled
}

// Gatherer is a Bus that has a queue besides, which one instance at a time reads. There, one instance
// can gather the batches of all.
type Gatherer interface {
	// Gather puts a body into the queue. It returns nil once the queue has it. The queue keeps the order
	// of an instance's bodies if one call has returned before another began. Errors are like Publish's,
	// and ErrNoQueue.
	Gather(ctx context.Context, body []byte) error

	// Combine waits until no other instance reads the queue, calls elected, and then deliver with one
	// body after another, until ctx ends or it can't go on. deliver calls done, now or later and on any
	// goroutine, when the body need not be delivered again. Bodies that are not done when Combine returns
	// are delivered to the next instance that reads the queue, perhaps after a while. Combine calls
	// neither function after it has returned. It returns ErrNoQueue if there is no queue and none can be
	// made.
	Combine(ctx context.Context, elected func(), deliver func(body []byte, done func())) error
}

// LoneChecker is a Bus that can report that no other instance uses it. The first instance then
// bootstraps without waiting.
type LoneChecker interface {
	// Alone reports whether this instance's subscription was the only one at a moment after it was
	// made. If several instances start at once, it reports true to one of them at most. False is always
	// safe.
	Alone(ctx context.Context) (bool, error)
}

// Limits that a Bus meets.
const (
	MaxInstanceName = 128      // bytes
	MinBody         = 64 << 10 // bytes
)

var (
	// ErrBusy is wrapped by the error of a Publish that the bus refused because it has too much to do.
	// Service Bus calls it server-busy. Node sends less often and larger batches.
	ErrBusy = errors.New("backplane: bus is busy")

	// ErrForbidden is wrapped by an error of Lister and Evictor if the bus does not let this instance manage
	// what it keeps.
	ErrForbidden = errors.New("backplane: this instance may not manage subscriptions")

	// ErrGap is wrapped by the error of a Receive that lost messages or can't exclude it. Node joins
	// again by snapshot.
	ErrGap = errors.New("backplane: messages were lost to this instance")

	// ErrNoQueue is wrapped by the errors of a Gatherer that has no queue.
	ErrNoQueue = errors.New("backplane: no queue to gather batches in")
)
