package simulation

import (
	"fmt"
	"time"

	"chatapp/internal/backplane"
)

// host is a machine with a name, on which one instance after another runs.
type host struct {
	world    *world
	name     string
	link     link
	instance *instance // nil: none runs
	paused   bool
	fenced   bool     // others began a log without the instance, which may alone have the state of the earlier one
	deferred []func() // what comes to a paused instance
	hanging  []func() // calls of the bus that wait for the connection
	lives    int
	build    build         // of the next instance
	clock    time.Duration // how much the clock of the machine is ahead

	multicasts bool // messages to several instances reach it; static
}

// publishTimeout is how long a node waits for the bus to take a message.
const publishTimeout = 10 * time.Second

// hang lets a call wait until the connection is there again, or the caller's patience is at its end.
func (h *host) hang(i *instance, done func(arrives bool, err error)) {
	over := false
	end := func(arrives bool, err error) {
		if !over {
			over = true
			done(arrives, err)
		}
	}
	h.world.after(publishTimeout, func() { end(false, errTimeout) })
	h.hanging = append(h.hanging, func() {
		h.world.after(h.world.upTo(time.Second), func() {
			if h.instance == i && h.world.chance(0.5) {
				end(true, nil)
			} else {
				end(false, errCut)
			}
		})
	})
}

// link is the connection between a host and the topic.
type link struct {
	slow       time.Duration // the most that a message takes, beside the usual
	sendCut    bool          // nothing gets through to the topic
	receiveCut bool          // nothing gets through from the topic, and receiving fails
	silent     bool          // nothing gets through from the topic, and nobody learns of it
	deaf       bool          // silent until the instance makes a new connection
}

func newHost(w *world, name string) *host { return &host{world: w, name: name, build: build{oldRules}} }

func (w *world) host(name string) *host {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	panic("simulation: no host " + name)
}

// boot starts an instance, unless one runs.
func (h *host) boot() {
	if h.instance != nil {
		return
	}
	if h.link.sendCut || h.link.receiveCut { // it can't open its bus
		h.world.after(time.Second, h.boot)
		return
	}
	h.lives++
	h.paused, h.deferred = false, nil
	h.world.tell(h.name, "starts, life %d", h.lives)
	h.instance = newInstance(h)
	h.instance.start()
}

// crash ends the instance at once. Its subscription stays.
func (h *host) crash() {
	if h.instance == nil {
		return
	}
	h.world.tell(h.name, "crashes")
	h.instance.end()
	h.instance, h.paused, h.deferred = nil, false, nil
}

// pause stops the instance as a machine does that sleeps.
func (h *host) pause() {
	h.paused = true
	h.instance.reader.pause()
	h.world.tell(h.name, "is paused")
}

func (h *host) resume() {
	if !h.paused {
		return
	}
	h.world.tell(h.name, "goes on")
	h.paused = false
	deferred := h.deferred
	h.deferred = nil
	for _, f := range deferred {
		f()
	}
	if h.instance != nil {
		h.instance.pump()
	}
}

// within does something on an instance, once it is not paused, if it still runs.
func (h *host) within(i *instance, f func()) {
	switch {
	case h.instance != i:
	case h.paused:
		h.deferred = append(h.deferred, f)
	default:
		f()
	}
}

// later is within after some time.
func (h *host) later(i *instance, d time.Duration, f func()) {
	h.world.events.push(event{at: h.world.now() + d, run: f, on: i})
}

// delay is how long a message takes on its way to the topic or from it.
func (h *host) delay() time.Duration {
	w := h.world
	return 2*time.Millisecond + w.upTo(20*time.Millisecond) + w.upTo(h.link.slow) + w.upTo(w.topic.weather.slow)
}

// pump has the instance send what it has to send.
func (h *host) pump() {
	if h.instance != nil && !h.paused && h.instance.driver.Due() {
		h.instance.pump()
	}
}

// enqueue puts a message into the host's subscription.
func (h *host) enqueue(s *subscription, p *parcel) {
	s.at = max(s.at, h.world.now()+h.delay())
	s.queue = append(s.queue, due{p, s.at})
	if i := h.instance; i != nil && i.receiver.subscription == s {
		i.receiver.schedule()
	}
}

// subscriptionDeleted ends the instance's call of Receive, a little later.
func (h *host) subscriptionDeleted(s *subscription) {
	i := h.instance
	if i == nil || i.receiver.subscription != s {
		return
	}
	h.world.tell(h.name, "loses its subscription")
	i.receiver.subscription = nil
	h.later(i, h.delay(), func() { i.receiver.subscribeAgain() })
}

// heal repairs the connection to the topic.
func (h *host) heal() {
	if h.link == (link{deaf: h.link.deaf}) {
		return
	}
	h.world.tell(h.name, "has its connection back")
	h.link = link{deaf: h.link.deaf}
	hanging := h.hanging
	h.hanging = nil
	for _, f := range hanging {
		f()
	}
	if h.instance != nil {
		h.instance.receiver.schedule()
	}
}

// receiver makes an instance's calls of Bus.Receive, one after the other.
type receiver struct {
	instance     *instance
	subscription *subscription // nil: it was deleted
	receiving    bool          // a call is under way
	delivered    bool          // by this call
	scheduled    bool          // the next delivery
	deliverNext  func()        // delivers it
}

func (r *receiver) host() *host { return r.instance.host }

// begin makes a call.
func (r *receiver) begin() {
	r.receiving, r.delivered = true, false
	h := r.host()
	h.link.deaf = false
	if s := r.subscription; s != nil && h.world.chance(0.2) {
		// What the call before has delivered may not have been settled.
		again := h.world.random.IntN(len(s.last) + 1)
		queue := make([]due, 0, again+len(s.queue))
		for _, p := range s.last[len(s.last)-again:] {
			queue = append(queue, due{p, h.world.now()})
		}
		s.queue = append(queue, s.queue...)
	}
	r.schedule()
}

// schedule sees to the delivery of the next message.
func (r *receiver) schedule() {
	h, s := r.host(), r.subscription
	switch {
	case !r.receiving || r.scheduled:
		return
	case h.link.receiveCut:
		r.end(errCut, false)
		return
	case s == nil || len(s.queue) == 0 || h.link.silent || h.link.deaf:
		return
	}
	r.scheduled = true
	h.later(r.instance, s.queue[0].at-h.world.now(), r.deliverNext)
}

// maxRepeated bounds how many messages come again after a call of Receive.
const maxRepeated = 8

func (r *receiver) deliver() {
	r.scheduled = false
	h, s := r.host(), r.subscription
	if !r.receiving || s == nil || len(s.queue) == 0 || s.queue[0].at > h.world.now() ||
		h.link.silent || h.link.deaf || h.link.receiveCut {
		r.schedule() // things have changed since
		return
	}
	r.delivered = true
	r.instance.check(r.instance.driver.Deliver(r.take(), func() *backplane.Delivery {
		if len(s.queue) == 0 || s.queue[0].at > h.world.now() {
			return nil
		}
		return r.take()
	}))
	r.schedule()
}

// take returns the next message of the subscription.
func (r *receiver) take() *backplane.Delivery {
	s := r.subscription
	p := s.queue[0].parcel
	s.queue = s.queue[1:]
	if s.last = append(s.last, p); len(s.last) > maxRepeated {
		s.last = s.last[1:]
	}
	r.host().world.judge.place = p.number
	return p.delivery
}

// end ends the call with an error, and makes the next one when the node wants it.
func (r *receiver) end(err error, interrupted bool) {
	if !r.receiving {
		return
	}
	r.receiving = false
	pause, stop := r.instance.driver.ReceiveEnded(err, r.delivered, interrupted)
	r.instance.check(stop)
	r.host().later(r.instance, pause, func() {
		if r.subscription == nil {
			r.receiving, r.delivered = true, false
			r.subscribeAgain()
			return
		}
		r.begin()
	})
}

// subscribeAgain makes the subscription again that was deleted, and ends the call with the news that messages were
// lost.
func (r *receiver) subscribeAgain() {
	h := r.host()
	if !r.receiving {
		return // the next call will do it
	}
	if h.link.sendCut || h.link.receiveCut || h.world.chance(h.world.topic.weather.failing) {
		r.end(errCut, false)
		return
	}
	r.subscription = h.world.topic.subscribe(h.name)
	r.end(fmt.Errorf("subscription was deleted: %w", backplane.ErrGap), false)
}

// receiveAgain ends the call on behalf of the node, which expects that within one of its steps: so it comes behind
// it.
func (r *receiver) receiveAgain() {
	r.host().world.tell(r.host().name, "connects to the bus again")
	r.host().later(r.instance, 0, func() {
		if r.subscription != nil {
			r.end(nil, true)
		}
	})
}
