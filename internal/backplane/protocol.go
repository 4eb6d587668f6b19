package backplane

import (
	"errors"
	"time"
)

// protocol decides everything that a Node does: joining, order, membership, checks, what to send and
// when to send it again. It has no goroutine, lock, clock or bus. Its inputs are methods that take the
// present time. They change the protocol at once, and append to effects what has to be done outside of
// it.
//
// The caller serializes all calls. It executes the effects in their order, before the next of the
// inputs start, receive, lost, undecodable, tick and close. Two protocols with equal inputs have equal
// effects.
type protocol struct {
	config
	effects  []effect // to be executed, oldest first
	records  []logRecord
	wakeups  wakeups
	counters Counters

	epochs        epochs
	log           *logState    // nil until in sync for the first time; kept while out of sync
	join          *joinAttempt // nil while in sync
	membership    membership
	signs         signs
	silence       silence
	consistency   consistency
	bootstrapping bootstrapping
	outbox        outbox
	outgoing      outgoing
	combining     combining
	credits       credits
	turns         turns
	evictions     evictions
	loading       loading
	donating      donating
	storing       storing
	raising       raising
	receiving     pacer
	clock         busClock
	received      bool // anything, ever
	report        report
}

// config is what a protocol is made with; immutable.
type config struct {
	Limits
	Timing
	instance    string
	maxBody     int
	knows       uint64                    // newest version of the state machine's rules that this build knows
	evicts      bool                      // the bus is an Evictor
	gathers     bool                      // the bus is a Gatherer
	lists       bool                      // the bus is a Lister
	observesOwn bool                      // there is an observer of latencies
	recording   bool                      // there is a Recorder
	archived    bool                      // the bus keeps what is published to all in an archive
	multicasts  bool                      // the bus is a Multicaster that reaches this instance
	wall        func(time.Time) time.Time // what this machine\'s clock says at a time; a function of that alone
}

// epochs numbers the times that this process was in the cluster.
type epochs struct {
	current  uint64 // the epoch this instance is in, or joins with
	start    uint64 // the first one of this process
	base     uint64 // the last one in which this instance was in sync; 0: none
	baseNext uint64 // how far the own entries of that one had come back
}

// wakeups says which goroutine of the shell may have something to do. The shell clears what it has acted upon.
type wakeups struct{ sender, evictor, combiner bool }

func newProtocol(c config) *protocol {
	return &protocol{
		config:      c,
		membership:  membership{peers: make(map[string]*peer), suspects: make(map[string]bool)},
		consistency: consistency{unknown: make(map[string]time.Time)},
		outbox:      newOutbox(c.MaxKept),
		report:      report{status: Status{Why: "not started"}},
	}
}

// start begins to join the cluster. alone says that the bus knows of no other instance, so that none
// has to be asked.
func (p *protocol) start(now time.Time, alone bool) {
	kind := uint8(entryJoinRequest)
	if alone && !p.recording {
		kind = entryBootstrap
	}
	p.requestJoin(now, kind, 1, "starting")
	if alone && p.recording {
		p.load(now)
	}
}

// append takes an entry of the state machine, or returns ErrFull, ErrTooLarge or ErrClosed.
func (p *protocol) append(now time.Time, body []byte, account, trace string) error {
	switch {
	case len(body) > p.MaxEntry:
		return ErrTooLarge
	case p.outgoing.closed:
		return ErrClosed
	case !p.outbox.mayAppend(account, len(body), &p.Limits):
		p.counters.Refused++
		return ErrFull
	}
	p.outbox.appendEntry(ownEntry{item: item{Kind: entryBody, Body: body}, at: now, account: account, trace: trace})
	p.counters.Appended++
	p.wakeups.sender = true
	return nil
}

// appendControl appends an entry of the protocol's own.
func (p *protocol) appendControl(now time.Time, kind uint8, c *control) {
	var body []byte
	if c != nil {
		body = c.encode()
	}
	p.outbox.append(kind, body, now)
	p.wakeups.sender = true
}

// enqueued says when the bus took the message that receive is given next; zero: it can't tell.
func (p *protocol) enqueued(now, enqueued time.Time) {
	p.received = true
	p.clock.received(now, enqueued)
}

// take takes what the receiver hands over. It reports whether the protocol may be given another message before its
// effects are executed.
func (p *protocol) take(now time.Time, r received) (more bool) {
	before := len(p.effects)
	switch {
	case r.err == nil:
		p.enqueued(now, r.enqueued)
		p.receive(now, r.envelope, r.size)
	case errors.Is(r.err, ErrGap):
		p.lost(now)
	default:
		p.undecodable(r.err)
	}
	return plain(p.effects[before:])
}

// receive takes an envelope that the bus delivered. size is the length of its body. It may keep the
// envelope, but doesn't modify it.
func (p *protocol) receive(now time.Time, e *envelope, size int) {
	p.heard(now)
	_, answers := e.answers(p.instance)
	switch {
	case e.Version < oldestVersion:
		p.older(e)
	case e.Kind == kindLog:
		p.receivedTopic(now, e)
		p.receiveBatch(now, e, size)
	case e.Kind == kindCombined:
		p.receivedTopic(now, e)
		p.combinerHeard(now)
		for i, part := range e.parts {
			p.receiveBatch(now, part, len(e.Parts[i]))
		}
	case e.Kind == kindSign && e.To == "":
		p.takeSign(now, e)
	case e.To != p.instance && !answers:
	case e.Kind == kindWait:
		p.counters.Received++
		p.takeWait(now, e)
	case e.Kind == kindChunk:
		p.counters.Received++
		p.takeChunk(now, e)
	case e.Kind == kindMissing:
		p.counters.Received++
		p.resendMissing(now, e)
	case e.Kind == kindSign:
		p.takeSign(now, e)
	case e.Kind == kindRefusal:
		p.counters.Received++
		p.refused(now, e)
	}
}

// receivedTopic counts a message of the log.
func (p *protocol) receivedTopic(now time.Time, e *envelope) {
	p.counters.Received++
	if p.Credits > 0 {
		p.turns.sent(now, e.From)
	}
	if e.From != p.instance {
		p.spend(now, p.topicCost(), false)
	}
}

// receiveBatch takes a batch of the log, alone or as part of a combined message.
func (p *protocol) receiveBatch(now time.Time, e *envelope, size int) {
	if e.Version < oldestVersion {
		p.older(e)
		return
	}
	if p.outgoing.leaveBack {
		return // this instance is no member any more: the others need not go by what this build knows
	}
	if p.join != nil {
		p.buffer(now, e, size)
		return
	}
	p.follow(now, e)
	if reason := p.consistency.rejoinReason; reason != "" {
		p.leaveSync(now, reason)
	}
}

// lost says that the bus has lost messages to this instance, behind those that were received.
func (p *protocol) lost(now time.Time) {
	p.counters.Gaps++
	p.leaveSync(now, "the bus lost messages to this instance")
}

// undecodable takes a body that is no envelope which this version can read. err is decodeEnvelope's.
func (p *protocol) undecodable(err error) {
	if errors.Is(err, ErrVersion) {
		p.effect(effect{kind: effectStop, err: err})
		return
	}
	p.counters.Received++
	p.counters.Malformed++
	p.logWarn("message on the bus is not an envelope", "err", err)
}

// tick does what is due by time alone. It is called every tickEvery.
func (p *protocol) tick(now time.Time) {
	if p.join != nil {
		p.joinTick(now)
		p.loadTick(now)
	} else {
		p.memberTick(now)
	}
	p.receiveTick(now)
	if p.join == nil {
		p.rulesTick(now)
		p.storingTick(now)
		p.donatingTick(now)
	}
	p.clockTick(now)
	p.outboxTick(now)
	p.combineTick(now)
	p.updateStatus(now)
	if !p.credits.nextAt.IsZero() {
		p.wakeups.sender = true
	}
}

// close refuses further entries and appends a leave entry behind those that wait.
func (p *protocol) close(now time.Time) {
	p.outgoing.closed = true
	if p.join == nil {
		p.appendControl(now, entryLeave, nil)
	}
}

// flushed reports, after close, whether nothing is left to wait for.
func (p *protocol) flushed() bool {
	if p.join == nil {
		return p.outgoing.leaveBack
	}
	return p.outgoing.leaveBack || p.outbox.waitingCount == 0
}
