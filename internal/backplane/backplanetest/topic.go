package backplanetest

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"chatapp/internal/backplane"
)

// Faults are what goes wrong on a Topic, as probabilities from 0 to 1 for each message, and as the longest of random
// delays. The zero value is a perfect bus.
type Faults struct {
	Refuse      float64       // Publish fails, and nothing is published
	Busy        float64       // likewise, with ErrBusy
	Ambiguous   float64       // Publish fails, though the message is in the topic
	Repeat      float64       // the message is in the topic a second time, some messages later
	Redeliver   float64       // a member is given one of the last messages again
	LoseForAll  float64       // Publish succeeds, and nobody gets the message: worse than the contract allows
	LoseForOne  float64       // a member isn't given the message, and isn't told: worse than the contract allows
	PublishTime time.Duration // how long a message is on its way into the topic; messages of different members overtake each other
	DeliverTime time.Duration // how long it is on its way to each member, whose order stays the topic's
}

// errFault is the error of a Publish that fails by a fault.
var errFault = errors.New("backplanetest: fault")

// Topic is a bus in memory that misbehaves as it is told. Its choices follow from its seed and the order of calls, which
// in a synctest bubble is nearly, not wholly, reproducible. Its methods may be called concurrently.
type Topic struct {
	maxBody int

	mu      sync.Mutex // guards what follows, and the fields of every Bus that say so
	random  *rand.Rand
	faults  Faults
	recent  []backplane.Message
	members map[string]*Bus
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
	}
}

// SetFaults changes what goes wrong from now on.
func (t *Topic) SetFaults(faults Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = faults
}

// Inject publishes a body as a stranger would.
func (t *Topic) Inject(body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.storeLocked(backplane.Message{Body: body})
}

// Join adds a member, or replaces the one of that name.
func (t *Topic) Join(instance string) *Bus {
	b := &Bus{topic: t, instance: instance, changed: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.members[instance] = b
	return b
}

// Leave removes a member: what is published from now on isn't kept for it.
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
	for _, b := range t.members {
		if m.To != "" && m.To != b.instance {
			continue
		}
		if t.chanceLocked(t.faults.LoseForOne) {
			continue
		}
		b.queueLocked(m)
		if t.chanceLocked(t.faults.Redeliver) {
			again := t.recent[t.random.IntN(len(t.recent))]
			if again.To == "" || again.To == b.instance {
				b.queueLocked(again)
			}
		}
	}
	if t.chanceLocked(t.faults.Repeat) {
		t.storeLocked(t.recent[t.random.IntN(len(t.recent))])
	}
}
