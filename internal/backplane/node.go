package backplane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// headerRoom is what an envelope needs beside its items: names, numbers and their keys.
	headerRoom = 1024
	// tickEvery is how exactly a node keeps its times.
	tickEvery = 250 * time.Millisecond
)

var (
	// ErrFull is returned by Append when too many entries wait to come back from the log. The entry is not taken; the
	// caller may try again later, or refuse its user.
	ErrFull = errors.New("backplane: too many entries wait for the bus")
	// ErrTooLarge is returned by Append for a body above Options.MaxEntry.
	ErrTooLarge = errors.New("backplane: entry is too large")
	// ErrClosed is returned by Append once Run's context has ended.
	ErrClosed = errors.New("backplane: node is shut down")
)

// Node makes one instance of a cluster: it appends entries to the log that all instances share, and applies the log to
// this instance's state. See the package comment for how. All methods may be called concurrently.
type Node struct {
	// Immutable.
	bus      Bus
	state    StateMachine
	options  Options
	instance string
	maxBody  int
	inbox    chan received // receiver to loop, unbuffered: a loop that is behind holds up the bus
	wake     chan struct{} // size 1: there is something for the sender
	evictor  Evictor       // the bus, if it is one
	evicting chan struct{} // size 1: there is something for the evictor

	// Owned by the loop, which is Run's own goroutine.
	epoch      uint64  // current, or being joined with
	start      uint64  // first of this process
	base       uint64  // last epoch in which this instance was in step; 0: none
	baseNext   uint64  // how far the own entries of that epoch had come back
	ledger     *ledger // nil until in step for the first time; kept while out of step
	join       *joining
	peers      map[string]*peer
	strangers  map[string]time.Time // who says to be in step and isn't known here, since when
	inStepAt   time.Time
	outBecause string    // set while an envelope is followed: why to step out behind it
	compareAt  time.Time // when the ledger was last put in the log for comparison
	compareNum uint64    // number of that entry in this epoch, once it has come back
	beatAt     time.Time // when a beat out of turn was last appended
	tickedAt   time.Time // when the loop last looked at the clock
	cutSince   time.Time
	goodbyeIn  bool // the own goodbye has come back
	latencies  []time.Duration
	delta      Counters // not yet added to counters

	mu       sync.Mutex // guards what follows; held for moments, never across a call to the outside
	out      outbox
	header   envelope // sealed into the next batch: epoch, cluster, checkpoint, version
	sealable bool     // in step: the outbox may be published
	hello    *envelope
	helloAt  time.Time // when the bus had it; zero: not yet
	direct   []*dispatch
	evicted  []string  // for whom the bus may keep something still
	lastSent time.Time // when the last batch was published
	closed   bool
	suspects map[string]bool
	status   Status
	counters Counters
	restart  context.CancelFunc // of the Receive under way
}

// received is what the receiver hands to the loop.
type received struct {
	envelope *envelope // nil: see err
	size     int
	err      error // ErrGap, ErrVersion or errMalformed, wrapped
}

// New returns a node that drives state from the log on bus. It starts nothing: Run does. Entries may be appended from
// now on and leave once Run has joined the cluster.
func New(bus Bus, state StateMachine, options Options) *Node {
	options.setDefaults(bus.MaxBody())
	evictor, _ := bus.(Evictor)
	return &Node{
		bus:      bus,
		evictor:  evictor,
		evicting: make(chan struct{}, 1),
		state:    state,
		options:  options,
		instance: bus.Instance(),
		maxBody:  bus.MaxBody(),
		inbox:    make(chan received),
		wake:     make(chan struct{}, 1),
		peers:    make(map[string]*peer),
		out:      outbox{first: 2},
		suspects: make(map[string]bool),
		status:   Status{Why: "not started"},
	}
}

// Instance is this instance's name, as in Entry.Instance.
func (n *Node) Instance() string { return n.instance }

// Append puts an entry on its way to the log. It queues and never waits for the network. The body belongs to Node
// afterwards and must not be modified. Nil means taken, not yet in the log: that is so when Apply is called with it,
// or Local.Committed. Entries of one instance keep the order in which they were appended. An entry is lost only with
// the process, before it has come back.
//
// Errors are ErrFull, ErrTooLarge and ErrClosed.
func (n *Node) Append(body []byte) error {
	if len(body) > n.options.MaxEntry {
		return ErrTooLarge
	}
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if n.out.waitingCount >= n.options.MaxWaiting || n.out.waitingBytes+len(body) > n.options.MaxWaitingBytes {
		n.counters.Refused++
		return ErrFull
	}
	n.out.append(entryBody, body, now)
	n.counters.Appended++
	n.wakeSender()
	return nil
}

// appendControl puts an entry of Node's own on its way.
func (n *Node) appendControl(kind uint8, c *control) {
	var body []byte
	if c != nil {
		body = c.encode()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.out.append(kind, body, time.Now())
	n.wakeSender()
}

func (n *Node) wakeSender() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Suspect says that an instance may be dead, for instance because one of its users has turned up here. As soon as it
// has been silent for a second it is asked for a sign of life, and evicted if it owes it for Options.AnswerAfter. Suspecting oneself
// or who is not a member does nothing.
func (n *Node) Suspect(instance string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.suspects) < maxMembers {
		n.suspects[instance] = true
	}
}

// Status reports how things are, as of at most a quarter of a second ago. The caller must not modify Members.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	status := n.status
	status.Waiting = n.out.waitingCount
	return status
}

// Counters reports what has happened so far.
func (n *Node) Counters() Counters {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.counters
}

// Run joins the cluster and keeps the instance in it until ctx ends. All calls of StateMachine and Local are made
// while it runs, on one goroutine. When ctx ends it sends what waits and a goodbye, for Options.FlushTimeout at most, and
// returns nil, or how many entries did not get out. It returns early only with ErrVersion: all troubles of the bus
// are waited out. It is called once. The bus stays open: its owner closes it afterwards.
func (n *Node) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	n.startJoining(n.firstHello(ctx), 1, "starting")
	n.start = n.epoch
	group.Go(func() { n.receive(running) })
	group.Go(func() { n.send(running) })
	if n.evictor != nil {
		group.Go(func() { n.evictRemains(running) })
	}
	return n.loop(ctx)
}

// loop owns membership, order and the calls of the state machine: everything that the log decides.
func (n *Node) loop(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	n.tick(time.Now())
	ended, closing := ctx.Done(), false
	var giveUp <-chan time.Time
	for {
		select {
		case r := <-n.inbox:
			if errors.Is(r.err, ErrVersion) {
				return fmt.Errorf("follow the log: %w", r.err)
			}
			n.handle(r)
		case now := <-ticker.C:
			n.tick(now)
		case <-ended:
			ended, closing = nil, true
			timer := time.NewTimer(n.options.FlushTimeout)
			defer timer.Stop()
			giveUp = timer.C
			n.close()
		case <-giveUp:
			return n.unsent()
		}
		if closing && n.flushed() {
			return nil
		}
	}
}

// close refuses further entries and puts the goodbye behind those that wait.
func (n *Node) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	if n.join == nil {
		n.appendControl(entryGoodbye, nil)
	}
}

// flushed reports that nothing is left to do before Run returns.
func (n *Node) flushed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.join == nil {
		return n.goodbyeIn
	}
	return n.goodbyeIn || n.out.waitingCount == 0
}

func (n *Node) unsent() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out.waitingCount == 0 {
		return nil
	}
	return fmt.Errorf("shut down: %d entries have not reached the log", n.out.waitingCount)
}

// handle takes in what the bus delivered.
func (n *Node) handle(r received) {
	switch e := r.envelope; {
	case errors.Is(r.err, ErrGap):
		n.delta.Gaps++
		n.stepOut("the bus lost messages to this instance")
	case r.err != nil:
		n.delta.Received++
		n.delta.Malformed++
		n.options.Logger.Warn("message on the bus is not an envelope", "err", r.err)
	case e.Kind == kindLog:
		n.delta.Received++
		if n.join != nil {
			n.hold(e, r.size)
			break
		}
		n.follow(e)
		if n.outBecause != "" {
			n.stepOut(n.outBecause)
		}
	case e.To != n.instance:
	case e.Kind == kindChunk:
		n.delta.Received++
		n.takeChunk(e)
	case e.Kind == kindMissing:
		n.delta.Received++
		n.repair(e)
	}
	n.report()
}

// report adds up the counters and lets the sender seal the present checkpoint.
func (n *Node) report() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reportLocked()
}

func (n *Node) reportLocked() {
	n.counters.add(&n.delta)
	n.delta = Counters{}
	if n.join == nil {
		n.header.Cluster, n.header.Place, n.header.Hash = n.ledger.cluster, n.ledger.place, n.ledger.hash
	}
}

// tick does what is due by time alone.
func (n *Node) tick(now time.Time) {
	if n.join != nil {
		n.joinTick(now)
	} else {
		n.memberTick(now)
	}
	n.outboxTick(now)
	n.updateStatus(now)
}
