package backplane

import (
	"errors"
	"time"
)

const (
	// gatherTimeout is how long a gathered batch may take to come back before it is sent directly, on a
	// bus that isn't slow.
	gatherTimeout = 2 * time.Second
	// distrustFor is how long nothing is gathered after that, and then until a combiner is heard again.
	distrustFor = 10 * time.Second
	// callEvery is how often an instance calls for a combiner while it has heard of none.
	callEvery = 5 * time.Second
	// noQueueFor is how long the queue is not used after it turned out not to exist.
	noQueueFor = 10 * time.Minute
	// maxGathered bounds the batches, in bytes, that the combiner has taken and not yet published.
	maxGathered = 4 << 20
	// partRoom is what a batch needs in a combined message beside its own bytes.
	partRoom = 16
)

// combining gathers the batches of many instances into one message to all, because each message to all
// costs three credits for every instance. An instance puts its batches into a queue that one instance
// reads, the combiner. The bus elects it. It publishes what it has read in one message, and completes
// it then. The queue keeps each instance's order. A batch that does not come back in time is sent
// directly: whatever comes twice is dropped.
type combining struct {
	wanted       bool // the cluster is large enough, and there is a queue
	noQueueUntil time.Time

	// An instance that puts its batches into the queue uses these.
	alive           bool // a combiner was heard, and nothing was late since
	distrustedUntil time.Time
	calledAt        time.Time
	call            bool // a call for a combiner is to be sent
	spent           budget
	gatherAt        time.Time // when the next batch may be put into the queue

	// The combiner uses these.
	elected  bool
	announce bool   // the others are to be told, by a message that may be empty
	term     uint64 // counts elections of this instance
	parts    []gathered
	bytes    int // of parts
	pace     pacer
}

// gathered is another instance's batch that the combiner has taken from the queue.
type gathered struct {
	body   []byte // encoded envelope
	ticket any    // the shell's, to complete it with
}

// combineTick decides whether batches are gathered, and calls for a combiner.
func (p *protocol) combineTick(now time.Time) {
	c, n := &p.combining, p.instances()
	wanted := p.gathers && p.join == nil && !p.outgoing.closed && p.signs.frequent && !now.Before(c.noQueueUntil) &&
		(n >= p.CombineFrom || c.wanted && n >= p.CombineFrom-2)
	if wanted != c.wanted {
		c.wanted = wanted
		c.calledAt = now.Add(time.Second - callEvery) // the queue is created first
		p.wakeups.combiner = true
	}
	if !wanted {
		return
	}
	if sent := p.outbox.headSent; p.outbox.gathered && !sent.IsZero() && !c.elected &&
		now.Sub(sent) >= gatherTimeout+4*p.outgoing.slowest {
		p.gatherFailed(now)
	}
	if !c.alive && !c.elected && !now.Before(c.distrustedUntil) && now.Sub(c.calledAt) >= callEvery {
		c.calledAt, c.call = now, true
		p.wakeups.sender = true
	}
}

// gatherFailed sends directly what was gathered.
func (p *protocol) gatherFailed(now time.Time) {
	c := &p.combining
	if c.alive {
		p.logWarn("batches don't come back from the combiner: sending directly", "waiting", p.outbox.waiting())
		c.alive, c.distrustedUntil = false, now.Add(distrustFor)
	}
	p.sendDirectly(now)
}

func (p *protocol) sendDirectly(now time.Time) {
	if c := &p.credits; c.topicAt.Before(now) {
		c.topicAt = now // others do so, too: one after the other
	}
	p.counters.Resent += uint64(p.outbox.sendAgain())
	p.wakeups.sender = true
}

// combinerHeard notes that a combiner publishes.
func (p *protocol) combinerHeard(now time.Time) {
	if c := &p.combining; !now.Before(c.distrustedUntil) {
		c.alive = true
	}
}

// elected says that this instance is the combiner until combineEnded.
func (p *protocol) elected(now time.Time) {
	c := &p.combining
	c.elected, c.announce = true, true
	c.term++
	if p.outbox.gathered {
		p.sendDirectly(now) // what is in the queue will come after what this instance publishes now
	}
	p.logInfo("combines the batches of all instances")
	p.wakeups.sender = true
}

// called takes a call for a combiner from the queue: its sender has heard of none.
func (p *protocol) called() {
	p.combining.announce = true
	p.wakeups.sender = true
}

// gather takes a batch from the queue. It reports false if there is no room for it now.
func (p *protocol) gather(now time.Time, body []byte, ticket any) bool {
	c := &p.combining
	if c.bytes > 0 && c.bytes+len(body) > maxGathered {
		return false
	}
	c.parts = append(c.parts, gathered{body, ticket})
	c.bytes += len(body)
	p.spend(now, gatherCost, false)
	p.wakeups.sender = true
	return true
}

// combineEnded takes the outcome of waiting to be the combiner, and of being it. The queue gives what was
// not completed to the next one. It returns how long to wait before the next call.
func (p *protocol) combineEnded(now time.Time, err error) (pause time.Duration) {
	c := &p.combining
	c.elected, c.announce, c.parts, c.bytes = false, false, nil, 0
	if errors.Is(err, ErrNoQueue) {
		p.noQueue(now, err)
		return 0
	}
	if err == nil {
		return 0
	}
	return p.pause(now, &c.pace, err)
}

func (p *protocol) noQueue(now time.Time, err error) {
	c := &p.combining
	if now.After(c.noQueueUntil) {
		p.logWarn("batches are sent directly: there is no queue to gather them in", "err", err)
	}
	c.noQueueUntil, c.alive, c.wanted = now.Add(noQueueFor), false, false
}

// nextCombined takes what the combiner publishes next: batches of the queue and an own one.
func (p *protocol) nextCombined(now time.Time, items []item) (message, bool) {
	c := &p.combining
	if !c.announce && len(c.parts) == 0 && !p.outbox.pending() || !p.credits.due(now, p.credits.topicAt) {
		return message{}, false
	}
	m := message{term: c.term, envelope: envelope{
		Version: p.outgoing.version, Needs: oldestVersion, Kind: kindCombined,
		From: p.instance, Epoch: p.outgoing.epoch,
	}}
	room := p.maxBody - headerRoom
	if own, ok := p.ownBatch(items, room/2); ok {
		body, err := own.encode()
		if err != nil {
			p.logError("batch left out", "err", err)
		} else {
			m.count, m.envelope.First, m.traces = len(own.Items), own.First, own.Traces
			m.envelope.Parts = append(m.envelope.Parts, body)
			room -= len(body) + partRoom
		}
	}
	for _, g := range c.parts {
		if room -= len(g.body) + partRoom; room < 0 {
			break
		}
		m.gathered = append(m.gathered, g)
		m.envelope.Parts = append(m.envelope.Parts, g.body)
	}
	return m, true
}

// combined notes that the bus has a combined message.
func (c *combining) combined(m *message) {
	if m.term != c.term || !c.elected {
		return
	}
	c.announce = false
	for _, g := range m.gathered {
		c.bytes -= len(g.body)
	}
	c.parts = c.parts[len(m.gathered):]
}

// gatherSent takes the outcome of putting a batch into the queue.
func (p *protocol) gatherSent(now time.Time, err error) {
	c := &p.combining
	if err != nil { // Combine says whether there is no queue, or not yet
		p.gatherFailed(now)
		return
	}
	if p.Credits <= 0 {
		return
	}
	// All instances together spend half of the credits on the queue, and each a few messages at once.
	const burst = 2 * gatherCost
	rate := p.Credits / 2 / float64(p.instances())
	wait := c.spent.spend(now, rate, gatherCost) - time.Duration(burst/rate*float64(time.Second))
	c.gatherAt = now.Add(wait)
}
