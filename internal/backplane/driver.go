package backplane

import (
	"context"
	"errors"
	"time"
)

// Driver runs a Node step by step on its caller's goroutine, in place of Node.Run. It is for simulations: with a bus
// in memory and virtual time, all that happens follows from the order of the steps. A Driver is not safe for
// concurrent use. Its Node is: other goroutines may append, and read the status.
type Driver struct {
	node  *Node
	items []item // room for a batch
}

// Outgoing is a message that the node wants published.
type Outgoing struct {
	Message
	Gather  bool // by Gatherer.Gather, not by Publish
	message message
}

// Delivery is a body of the bus, decoded once for all instances that receive it.
type Delivery struct{ received }

// NewDelivery decodes a body, which the bus took at the time enqueued. The error is what Bus.Receive's deliver would
// return for it.
func NewDelivery(body []byte, enqueued time.Time) (*Delivery, error) {
	d := &Delivery{received{size: len(body), enqueued: enqueued}}
	d.envelope, d.err = decodeEnvelope(body)
	return d, d.err
}

// NewDriver returns a Driver of a new node. receiveAgain is called when the node wants the call of Bus.Receive ended
// that is under way, and another one made. The node calls the bus only for what is neither publishing nor receiving.
func NewDriver(bus Bus, state StateMachine, options Options, receiveAgain func()) *Driver {
	n := New(bus, state, options)
	n.receiveAgain = receiveAgain
	return &Driver{node: n}
}

// Node returns the node, of which the caller must not call Run.
func (d *Driver) Node() *Node { return d.node }

// Start begins to join the cluster.
func (d *Driver) Start(ctx context.Context) error {
	n := d.node
	alone := n.alone(ctx)
	n.mu.Lock()
	n.protocol.start(time.Now(), alone)
	n.unlock()
	return d.Tick()
}

// Tick lets the node do what is due by time alone. Node.Run does that every quarter of a second.
func (d *Driver) Tick() error { return d.node.tick(context.Background(), time.Now()) }

// TickEvery is how often Tick is to be called.
const TickEvery = tickEvery

// Deliver gives the node a message of the bus, as Bus.Receive does. While the node can take another one in the same
// step, it calls next, which returns nil if none has come meanwhile, and must not call the node.
func (d *Driver) Deliver(m *Delivery, next func() *Delivery) error {
	return d.node.handle(context.Background(), m.received, func() (r received, ok bool) {
		if m := next(); m != nil {
			return m.received, true
		}
		return r, false
	})
}

// ReceiveEnded tells the node the outcome of a call of Bus.Receive, and returns how long to wait before the next one.
// delivered says that the call has delivered something, interrupted that receiveAgain has ended it.
func (d *Driver) ReceiveEnded(err error, delivered, interrupted bool) (pause time.Duration, stop error) {
	n := d.node
	if errors.Is(err, ErrGap) {
		if stop = n.handle(context.Background(), received{err: err}, n.waiting); stop != nil {
			return 0, stop
		}
	}
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.receiveEnded(time.Now(), err, delivered, interrupted), nil
}

// Due reports, once for each occasion, whether the node may have got something to publish or to evict.
func (d *Driver) Due() bool {
	if len(d.node.wake) == 0 && len(d.node.evicting) == 0 {
		return false // the usual case, which a select takes ten times as long for
	}
	select {
	case <-d.node.wake:
	case <-d.node.evicting:
	}
	return true
}

// Next returns the message that is to be published next, or nil. The caller publishes one at a time, calls Published,
// and waits as long as that says before it asks again.
func (d *Driver) Next() (*Outgoing, error) {
	n := d.node
	n.mu.Lock()
	next, ok := n.protocol.nextMessage(time.Now(), d.items[:0])
	n.unlock()
	if !ok {
		return nil, nil
	}
	m := next // escapes
	if m.count > 0 {
		d.items = m.envelope.Items
	}
	body, err := m.envelope.encode()
	if err != nil {
		return nil, err
	}
	m.envelope.Items = nil // the room is used again
	return &Outgoing{Message: Message{To: m.to, Also: m.also, Body: body}, Gather: m.gather, message: m}, nil
}

// Published tells the node the outcome of publishing o, and returns how long to wait before the next message.
func (d *Driver) Published(o *Outgoing, err error) (pause time.Duration) {
	n := d.node
	n.mu.Lock()
	pause = n.protocol.published(time.Now(), &o.message, len(o.Body), err)
	n.unlock()
	if err == nil {
		n.completeGathered(o.message.gathered)
	}
	return pause
}

// Combining reports whether the node wants Gatherer.Combine called, or a call under way to go on.
func (d *Driver) Combining() bool {
	n := d.node
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.combining.wanted
}

// Elected tells the node that it is the combiner.
func (d *Driver) Elected() { d.node.elected() }

// Gathered gives the combiner a body of the queue, as Gatherer.Combine does. It reports false if the node has no room
// for it now.
func (d *Driver) Gathered(body []byte, done func()) bool { return d.node.offerGathered(body, done) }

// CombineEnded tells the node the outcome of a call of Gatherer.Combine, and returns how long to wait before the next.
func (d *Driver) CombineEnded(err error) (pause time.Duration) {
	n := d.node
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.combineEnded(time.Now(), err)
}

// Manage asks the bus, as long as the node wants that, to list what it keeps for the instances, and to remove what it
// keeps for one. If it returns a pause, it is to be called again after it.
func (d *Driver) Manage(ctx context.Context) (pause time.Duration) {
	for ok := true; ok && pause <= 0; {
		pause, ok = d.node.manageOnce(ctx)
	}
	return pause
}

// Close has the node append its leave entry behind what waits. Flushed then reports whether all of it is back.
func (d *Driver) Close() error { return d.node.close(context.Background()) }

// Flushed reports, after Close, whether nothing is left to wait for.
func (d *Driver) Flushed() bool { return d.node.flushed() }
