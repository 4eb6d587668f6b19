package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatapp/internal/backplane"
)

// topic is the bus: one order of messages, and a subscription for each instance.
type topic struct {
	world         *world
	missing       bool // it was deleted
	subscriptions []*subscription
	published     int
	forbids       bool // instances may not list or delete subscriptions
	maxBody       int  // of a message, in bytes
	weather       weather
	queue         queue
}

// weather is what the topic does to everybody at present.
type weather struct {
	slow    time.Duration // the most that a message takes, beside the usual
	busy    float64       // part of the messages that is refused as too many
	failing float64       // part of the calls that fail, half of which have worked
	repeats float64       // part of the messages that is delivered again later
}

// parcel is a message that the topic has taken.
type parcel struct {
	number   int
	delivery *backplane.Delivery
}

// subscription keeps the messages for an instance until it has received them.
type subscription struct {
	name  string
	queue []due
	last  []*parcel // delivered last: the ones that may come again
	at    time.Duration
}

type due struct {
	*parcel
	at time.Duration
}

func newTopic(w *world) *topic {
	return &topic{world: w, queue: queue{world: w, missing: w.chance(0.1)}}
}

// subscribe returns the subscription of a name, which it makes if there is none. It makes the topic, too.
func (t *topic) subscribe(name string) *subscription {
	t.missing = false
	if s := t.subscription(name); s != nil {
		return s
	}
	s := &subscription{name: name}
	t.subscriptions = append(t.subscriptions, s)
	return s
}

func (t *topic) subscription(name string) *subscription {
	for _, s := range t.subscriptions {
		if s.name == name {
			return s
		}
	}
	return nil
}

// unsubscribe deletes a subscription with all that it keeps.
func (t *topic) unsubscribe(name string) {
	for i, s := range t.subscriptions {
		if s.name == name {
			t.subscriptions = append(t.subscriptions[:i:i], t.subscriptions[i+1:]...)
			t.world.host(name).subscriptionDeleted(s)
			return
		}
	}
}

// delete deletes the topic with all subscriptions. The first instance that subscribes again makes it again.
func (t *topic) delete() {
	t.missing = true
	for _, s := range append([]*subscription(nil), t.subscriptions...) {
		t.unsubscribe(s.name)
	}
}

// put takes a message for everybody, or for the instances that it is addressed to.
func (t *topic) put(m backplane.Message) {
	delivery, err := backplane.NewDelivery(m.Body, time.Now())
	if err != nil {
		t.world.judge.anomaly(Broken, "published what does not decode: %v", err)
		return
	}
	t.published++
	p := &parcel{number: t.published, delivery: delivery}
	t.distribute(m, p)
	if s := t.world.storage; s != nil && m.To == "" {
		s.put(m.Body)
	}
	if t.world.chance(t.weather.repeats) {
		t.world.after(t.world.upTo(5*time.Second), func() { t.distribute(m, p) })
	}
}

func (t *topic) distribute(m backplane.Message, p *parcel) {
	for _, s := range t.subscriptions {
		if h := t.world.host(s.name); m.To == "" || m.To == s.name || h.multicasts && m.Reaches(s.name) {
			h.enqueue(s, p)
		}
	}
}

// errors of the bus, which mean nothing to a node but that a call failed.
var (
	errCut     = errors.New("connection lost")
	errMissing = errors.New("topic not found")
	errTimeout = fmt.Errorf("bus has not answered: %w", context.DeadlineExceeded)
)

// bus is a host's end of the topic, as its node sees it. Publishing and receiving take time, and so are steps of the
// simulation; see host.
type bus struct{ *host }

func (b bus) Instance() string { return b.name }
func (b bus) MaxBody() int     { return b.world.topic.maxBody }

// Multicasts implements backplane.Multicaster.
func (b bus) Multicasts() bool { return b.multicasts }

func (b bus) Publish(context.Context, backplane.Message) error {
	panic("simulation: a Driver does not publish")
}

func (b bus) Receive(context.Context, func([]byte, time.Time) error) error {
	panic("simulation: a Driver does not receive")
}

func (b bus) Gather(context.Context, []byte) error { panic("simulation: a Driver does not publish") }

func (b bus) Combine(context.Context, func(), func([]byte, func())) error {
	panic("simulation: a Driver does not combine")
}

// Evict implements backplane.Evictor.
func (b bus) Evict(_ context.Context, instance string) error {
	if b.world.topic.forbids {
		return backplane.ErrForbidden
	}
	if b.link.sendCut || b.world.chance(b.world.topic.weather.failing) {
		return errCut
	}
	b.world.tell(b.name, "deletes the subscription of %s", instance)
	if !b.inSync() { // it is about to begin a log
		b.world.host(instance).fenced = true
	}
	b.world.topic.unsubscribe(instance)
	return nil
}

// Subscriptions implements backplane.Lister.
func (b bus) Subscriptions(context.Context) ([]backplane.Subscription, error) {
	if b.world.topic.forbids {
		return nil, backplane.ErrForbidden
	}
	if b.link.sendCut || b.world.chance(b.world.topic.weather.failing) {
		return nil, errCut
	}
	var all []backplane.Subscription
	for _, s := range b.world.topic.subscriptions {
		all = append(all, backplane.Subscription{Instance: s.name, Unread: int64(len(s.queue))})
	}
	return all, nil
}

// Alone implements backplane.LoneChecker.
func (b bus) Alone(context.Context) (bool, error) {
	if b.link.sendCut {
		return false, errCut
	}
	return len(b.world.topic.subscriptions) == 1, nil
}
