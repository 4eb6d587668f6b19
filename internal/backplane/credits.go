package backplane

import "time"

// Service Bus counts credits: one each for sending, receiving and completing a message, and one for
// every filter that it evaluates. Each subscription has one filter.
const (
	gatherCost = 3 // of a message through the combiner's queue: sent, received and completed

	// archiveCredits is how many credits a second messages may use above Limits.Credits where an archive keeps them:
	// 2 of the 3 that it costs, for receiving and completing, can wait while the bus is busy.
	archiveCredits = 30

	// snapshotCredits is how many credits a second snapshots may use beside Limits.Credits, and above it
	// where chat leaves room.
	snapshotCredits = 70
)

// topicCost is what a message to all costs: it is sent, and filtered, received and completed by each
// subscription.
func (p *protocol) topicCost() float64 { return float64(1 + 3*p.subscriptions()) }

// unicastCost is what a message to some of the instances costs. All subscriptions filter it.
func (p *protocol) unicastCost(receivers int) float64 {
	return float64(1 + p.subscriptions() + 2*receivers)
}

// subscriptions is how many the topic has: one for each instance, and that of an archive.
func (p *protocol) subscriptions() int {
	if p.archived {
		return p.instances() + 1
	}
	return p.instances()
}

// budget counts the credits spent under a rate, in credits a second. The caller gives the same rate,
// which must be positive, to a call and the next one. The zero value has spent nothing.
type budget struct {
	spent float64 // and not covered by the rate since
	at    time.Time
}

// spend counts credits, and returns the time until the rate has covered all that was spent. It forgets
// what is more than a second's worth: an instance that was silent receives at once what was spent long ago.
func (b *budget) spend(now time.Time, rate, credits float64) time.Duration {
	b.spent = max(0, b.spent-rate*max(0, now.Sub(b.at).Seconds())) + credits
	b.spent = min(b.spent, max(rate, credits))
	b.at = now
	return time.Duration(b.spent / rate * float64(time.Second))
}

// credits paces the sends of this instance by what they cost at the present number of instances. Every
// instance sees all messages of the log. So each knows what all spend, and sends when the sum allows it,
// or when it has spent less than its part.
type credits struct {
	topic     budget // messages to all, of all instances, and what else the log shows
	own       budget // own messages to all
	snapshots budget // the same, and the own parts of snapshots

	topicAt    time.Time // when the next batch may be sent, by what all have spent
	ownAt      time.Time // the same, by what this instance has spent
	snapshotAt time.Time // when the next part of a snapshot may be
	nextAt     time.Time // when something that waits now may be sent; zero: nothing waits for that
}

// instances is how many the cluster has; 1 while that is not known.
func (p *protocol) instances() int {
	if p.log == nil {
		return 1
	}
	return max(len(p.log.members()), 1)
}

// allowed is how many credits a second the instances may use together.
func (p *protocol) allowed() float64 {
	if p.archived {
		return p.Credits + archiveCredits
	}
	return p.Credits
}

// topicRate is how many credits a second all messages to all may cost. It leaves room for the message
// that each instance may send at the same moment. Where a combiner sends for all, that is one.
func (p *protocol) topicRate() float64 {
	n, allowed := p.instances(), p.allowed()
	if c := &p.combining; c.elected || c.alive && c.wanted {
		return max(allowed-p.topicCost(), allowed/2)
	}
	if p.takesTurns() {
		return allowed / 2 // the rest is for signs of life of those that wait, and for probes
	}
	return max(allowed-float64(n)*p.topicCost(), allowed/2)
}

func (p *protocol) snapshotRate() float64 { return p.allowed() + snapshotCredits }

// batchAt is when the next batch may be sent.
func (c *credits) batchAt() time.Time {
	if c.ownAt.Before(c.topicAt) {
		return c.ownAt
	}
	return c.topicAt
}

// spend counts credits that the log shows to be spent, by this instance or another.
func (p *protocol) spend(now time.Time, credits float64, own bool) {
	if p.Credits <= 0 {
		return
	}
	c := &p.credits
	c.topicAt = now.Add(c.topic.spend(now, p.topicRate(), credits))
	c.snapshotAt = now.Add(c.snapshots.spend(now, p.snapshotRate(), credits))
	if own {
		c.ownAt = now.Add(c.own.spend(now, p.topicRate()/float64(p.instances()), credits))
	}
}

// spendOnSnapshot counts an own part of a snapshot.
func (p *protocol) spendOnSnapshot(now time.Time, receivers int) {
	if p.Credits <= 0 {
		return
	}
	c := &p.credits
	c.snapshotAt = now.Add(c.snapshots.spend(now, p.snapshotRate(), p.unicastCost(receivers)))
}

// due reports whether at has come, and otherwise has the sender ask again then.
func (c *credits) due(now, at time.Time) bool {
	if !now.Before(at) {
		return true
	}
	if c.nextAt.IsZero() || at.Before(c.nextAt) {
		c.nextAt = at
	}
	return false
}
