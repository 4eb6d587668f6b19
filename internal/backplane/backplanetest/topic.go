package backplanetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"chatapp/internal/backplane"
)

// Faults say what goes wrong on a Topic: probabilities from 0 to 1 for each message, and upper bounds of random
// delays. The zero value is a perfect bus. LoseForAll and LoseForOne break the contract of backplane.Bus.
type Faults struct {
	Refuse      float64       // Publish fails, and nothing is published
	Busy        float64       // likewise, with ErrBusy
	Ambiguous   float64       // Publish fails, although the message is in the topic
	Repeat      float64       // the message is in the topic a second time, some messages later
	Redeliver   float64       // a member receives again one of the last messages since it has joined
	LoseForAll  float64       // Publish succeeds, and no member receives the message
	LoseForOne  float64       // a member doesn't receive the message, without an error
	PublishTime time.Duration // to the topic; messages of different members may overtake each other
	DeliverTime time.Duration // to each member, in the topic's order
}

// errFault is returned by a Publish that a fault makes fail.
var errFault = errors.New("backplanetest: fault")

// Topic is a bus in memory with faults. Its choices follow from its seed and the order of calls, which
// in a synctest bubble is reproducible for the most part. Its methods may be called concurrently.
type Topic struct {
	maxBody int

	mu      sync.Mutex // guards what follows, and the fields of every Bus that say so
	random  *rand.Rand
	faults  Faults
	recent  []backplane.Message
	members map[string]*Bus

	unmanaged bool // members may neither list nor remove subscriptions
	usage     Usage
	queue     queue
	terms     int // times that a member began to read the queue
}

// Usage counts what a topic has carried.
type Usage struct {
	Messages   int // published
	Deliveries int // of these, put into the members' queues
	Gathered   int // put into the queue that one member reads
}

// Operations is what Service Bus bills for it: sending, receiving and completing.
func (u Usage) Operations() int { return u.Messages + 2*u.Deliveries + 3*u.Gathered }

// Usage returns what the topic has carried so far.
func (t *Topic) Usage() Usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.usage
}

// NewTopic returns a topic without members. Bodies are limited to maxBody bytes, or 256 KiB if that is 0.
func NewTopic(seed uint64, maxBody int) *Topic {
	if maxBody == 0 {
		maxBody = 256 << 10
	}
	return &Topic{
		maxBody: maxBody,
		random:  rand.New(rand.NewPCG(seed, 1)),
		members: make(map[string]*Bus),
		queue:   queue{changed: make(chan struct{})},
	}
}

// SetFaults replaces the faults.
func (t *Topic) SetFaults(faults Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = faults
}

// Forbid has Evict and Subscriptions of all members return backplane.ErrForbidden.
func (t *Topic) Forbid() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unmanaged = true
}

// Inject publishes a body without a member, to all members.
func (t *Topic) Inject(body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.storeLocked(backplane.Message{Body: body})
}

// Join adds a member, or replaces the one of that name. It receives what is published from now on.
func (t *Topic) Join(instance string) *Bus {
	b := &Bus{topic: t, instance: instance, changed: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	b.joined = t.usage.Messages
	t.members[instance] = b
	return b
}

// Leave removes a member. The topic keeps for it nothing that is published from now on.
func (t *Topic) Leave(instance string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.members, instance)
}

func (t *Topic) chanceLocked(p float64) bool { return p > 0 && t.random.Float64() < p }

func (t *Topic) timeLocked(longest time.Duration) time.Duration {
	if longest <= 0 {
		return 0
	}
	return time.Duration(t.random.Int64N(int64(longest)))
}

// storeLocked puts a message in the topic and in the members' queues.
func (t *Topic) storeLocked(m backplane.Message) {
	if len(t.recent) >= 64 {
		t.recent = append(t.recent[:0], t.recent[32:]...)
	}
	t.recent = append(t.recent, m)
	t.usage.Messages++
	for _, b := range t.members {
		if b.removed || !m.Reaches(b.instance) {
			continue
		}
		if t.chanceLocked(t.faults.LoseForOne) {
			continue
		}
		b.queueLocked(m)
		if t.chanceLocked(t.faults.Redeliver) {
			i := t.random.IntN(len(t.recent))
			if number := t.usage.Messages - len(t.recent) + i; number >= b.joined && t.recent[i].Reaches(b.instance) {
				b.queueLocked(t.recent[i])
			}
		}
	}
	if t.chanceLocked(t.faults.Repeat) {
		t.storeLocked(t.recent[t.random.IntN(len(t.recent))])
	}
}
