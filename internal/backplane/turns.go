package backplane

import "time"

const (
	// A member counts as sending while its last message to all is not older than this.
	sendingFor = 5 * time.Second
	// How long one turn lasts, for members that see each other's messages sooner or later than that.
	minTurn = 20 * time.Millisecond
	maxTurn = 250 * time.Millisecond
)

// turns has the instances of a large cluster send one after the other. Without a combiner each of thirty instances
// would find at the same moment that credits are left, and together they would spend three times what a second has. So
// an instance waits for as many turns as there are sending members between the one that sent last and itself. One that
// has not sent of late comes after as many turns as there are members in between.
type turns struct {
	last   string               // the member that sent last
	sentAt map[string]time.Time // the last message to all of each
}

func (t *turns) sent(now time.Time, instance string) {
	if t.sentAt == nil {
		t.sentAt = make(map[string]time.Time)
	}
	t.last, t.sentAt[instance] = instance, now
	if len(t.sentAt) > 2*maxMembers {
		clear(t.sentAt)
	}
}

func (t *turns) sending(now time.Time, instance string) bool {
	at, ok := t.sentAt[instance]
	return ok && now.Sub(at) < sendingFor
}

// takesTurns reports whether the messages that all instances may send at the same moment cost too large a part of a
// second's credits to leave room for them.
func (p *protocol) takesTurns() bool {
	n := p.instances()
	return p.Credits > 0 && float64(n)*p.topicCost() > p.Credits/4
}

// untilTurn is how long this instance waits after the credits allow the next message.
func (p *protocol) untilTurn(now time.Time) time.Duration {
	t, members := &p.turns, p.log.members()
	last := 0
	for i, r := range members {
		if r.Instance == t.last {
			last = i
		}
	}
	among, before := t.sending(now, p.instance), 0
	for i := 1; i < len(members); i++ {
		r := members[(last+i)%len(members)]
		if r.Instance == p.instance {
			break
		}
		if !among || t.sending(now, r.Instance) {
			before++
		}
	}
	return time.Duration(before) * min(max(p.outgoing.slowest+p.silence.roundTrip, minTurn), maxTurn)
}
