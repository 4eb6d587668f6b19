package backplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// tickEvery is how exactly a node keeps its times.
const tickEvery = 250 * time.Millisecond

var (
	// ErrFull is returned by Append when too many entries wait to come back from the log. The entry is
	// not taken; the caller may try again later, or refuse its user.
	ErrFull = errors.New("backplane: too many entries wait for the bus")
	// ErrTooLarge is returned by Append for a body above Limits.MaxEntry.
	ErrTooLarge = errors.New("backplane: entry is too large")
	// ErrClosed is returned by Append once Run's context has ended.
	ErrClosed = errors.New("backplane: node is shut down")
)

// Node makes one instance of a cluster: it appends entries to the log that all instances share, and
// applies the log to this instance's state. See the package comment for how. All methods may be called
// concurrently.
//
// A Node is the shell of a protocol, which decides everything. The Node has the goroutines, the clock,
// the lock and the bus: it gives the protocol its inputs and executes its effects.
type Node struct {
	// Immutable.
	bus      Bus
	state    StateMachine
	options  Options
	inbox    chan received // receiver to loop, size maxTogether, so that the loop finds at once what it takes together
	wake     chan struct{} // size 1: there may be something for the sender
	evictor  Evictor       // the bus, if it is one
	lister   Lister        // the bus, if it is one
	evicting chan struct{} // size 1: there may be something for the evictor

	gatherer  Gatherer      // the bus, if it is one
	combining chan struct{} // size 1: whether a combiner is wanted may have changed
	combined  chan struct{} // size 1: there may be room for what the combiner gathers

	// Owned by the loop, which is Run's own goroutine.
	executing       []effect
	skippedLoggedAt time.Time

	mu           sync.Mutex // guards what follows; held for moments, never across a call to the outside
	protocol     *protocol
	receiveAgain context.CancelFunc // ends the call of Receive that is under way

	stopCombining context.CancelFunc // ends the call of Combine that is under way
}

// received is what the receiver hands to the loop.
type received struct {
	envelope *envelope // nil: see err
	size     int
	enqueued time.Time
	err      error // wraps ErrGap, ErrVersion or errMalformed
}

// New returns a node that drives state from the log on bus. It starts nothing: Run does. Entries may be
// appended from now on and leave once Run has joined the cluster.
func New(bus Bus, state StateMachine, options Options) *Node {
	options.setDefaults(bus.MaxBody())
	evictor, evicts := bus.(Evictor)
	lister, lists := bus.(Lister)
	gatherer, gathers := bus.(Gatherer)
	multicaster, multicasts := bus.(Multicaster)
	return &Node{
		bus:      bus,
		state:    state,
		options:  options,
		inbox:    make(chan received, maxTogether),
		wake:     make(chan struct{}, 1),
		evictor:  evictor,
		lister:   lister,
		evicting: make(chan struct{}, 1),

		gatherer:  gatherer,
		combining: make(chan struct{}, 1),
		combined:  make(chan struct{}, 1),

		protocol: newProtocol(config{
			Limits:      options.Limits,
			Timing:      options.Timing,
			instance:    bus.Instance(),
			maxBody:     bus.MaxBody(),
			knows:       options.Rules,
			wall:        options.Wall,
			evicts:      evicts,
			lists:       lists,
			gathers:     gathers,
			observesOwn: options.Observer.OwnEntry != nil,
			recording:   options.Recorder != nil,
			archived:    options.Archived,
			multicasts:  multicasts && multicaster.Multicasts(),
		}),
		receiveAgain: func() {},

		stopCombining: func() {},
	}
}

// Instance is this instance's name, as in Entry.Instance.
func (n *Node) Instance() string { return n.bus.Instance() }

// Append puts an entry on its way to the log. It queues and never waits for the network. The body
// belongs to Node afterwards and must not be modified. Nil means that the entry is queued. It is in the
// log when Apply, or Local.Committed, is called with it. Entries that are appended so keep their order. An entry is
// lost only with the process, before it has come back.
//
// Errors are ErrFull, ErrTooLarge and ErrClosed.
func (n *Node) Append(body []byte) error { return n.AppendFor(body, "", "") }

// AppendFor is Append for an entry of an account: of what clients share the way to the log by, such as an address.
// Entries of one account keep their order. Where more waits than one message takes, each account has a like part of
// the next one, whatever others have appended before. "" is an account, too.
//
// trace is the trace context of an entry that is traced, a W3C traceparent of 64 bytes at most, else "". All instances
// receive it as Entry.Trace, except those of a build that does not know it. It is lost where a batch has more than 64
// of them, and where the entry reaches an instance by a snapshot.
func (n *Node) AppendFor(body []byte, account, trace string) error {
	if len(trace) > maxTrace {
		trace = ""
	}
	now := time.Now()
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.append(now, body, account, trace)
}

// maxTrace bounds a trace context in bytes. One of W3C's version 00 has 55.
const maxTrace = 64

// Suspect says that an instance may be dead, for instance because one of its users has turned up here.
// As soon as it has been silent for a second it is probed. If it gives no sign of life within
// Timing.AnswerTimeout, it is evicted. Suspecting this instance, or one that is no member, does
// nothing.
func (n *Node) Suspect(instance string) {
	n.mu.Lock()
	defer n.unlock()
	n.protocol.suspect(instance)
}

// Status reports how things are, as of at most a quarter of a second ago. The caller must not modify Members.
func (n *Node) Status() Status {
	n.mu.Lock()
	defer n.unlock()
	status := n.protocol.report.status
	status.Waiting = n.protocol.outbox.waitingCount
	return status
}

// BusTime returns the present time by the bus's clock, to about the time of a message's way; by this machine's as long
// as this instance has received nothing.
func (n *Node) BusTime() time.Time {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.protocol.busTime(now); !t.IsZero() {
		return t
	}
	return n.protocol.wall(now)
}

// Counters reports what has happened so far.
func (n *Node) Counters() Counters {
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.counters
}

// Run joins the cluster and keeps the instance in it until ctx ends. All calls of StateMachine and
// Local are made while it runs, on one goroutine. When ctx ends it sends what waits and a leave entry,
// for Timing.FlushTimeout at most. It then returns nil, or an error with the number of entries that did
// not reach the log. It returns early only with ErrVersion, since it retries every failure of the bus.
// It is called once. The bus stays open: its owner closes it afterwards.
func (n *Node) Run(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	alone := n.alone(ctx)
	n.mu.Lock()
	n.protocol.start(time.Now(), alone)
	n.unlock()
	group.Go(func() { n.receive(running) })
	group.Go(func() { n.send(running) })
	if n.evictor != nil {
		group.Go(func() { n.manage(running) })
	}
	if n.gatherer != nil {
		group.Go(func() { n.combine(running) })
	}
	return n.loop(ctx)
}

// alone asks the bus whether there are other instances.
func (n *Node) alone(ctx context.Context) bool {
	checker, ok := n.bus.(LoneChecker)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	alone, err := checker.Alone(ctx)
	if err != nil {
		n.options.Logger.Warn("bus could not report whether there are other instances", "err", err)
	}
	return alone && err == nil
}

// loop gives the protocol all inputs that have effects, and executes these one at a time.
func (n *Node) loop(ctx context.Context) error {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	if err := n.tick(ctx, time.Now()); err != nil {
		return err
	}
	ended, closing := ctx.Done(), false
	var giveUp <-chan time.Time
	for {
		var err error
		select {
		case r := <-n.inbox:
			err = n.handle(ctx, r, n.waiting)
		case now := <-ticker.C:
			err = n.tick(ctx, now)
		case <-ended:
			ended, closing = nil, true
			timer := time.NewTimer(n.options.FlushTimeout)
			defer timer.Stop()
			giveUp = timer.C
			err = n.close(ctx)
		case <-giveUp:
			return n.unsent()
		}
		if err != nil {
			return err
		}
		if closing && n.flushed() {
			return nil
		}
	}
}

// maxTogether bounds how many messages the loop takes in one step. It takes none beyond effectsTogether effects, so
// that the room for them stays with the node, see maxIdleEffects.
const (
	maxTogether     = 64
	effectsTogether = maxIdleEffects / 2
)

// handle gives the protocol a message, and those that next returns until it has none, and executes the effects of all.
// So a Recorder that waits for a disk takes what has come during its last call in one call, not message by message.
func (n *Node) handle(ctx context.Context, r received, next func() (received, bool)) error {
	n.mu.Lock()
	for count, ok := 1, true; ok; count++ {
		more := n.protocol.take(time.Now(), r)
		if !more || count == maxTogether || len(n.protocol.effects) >= effectsTogether {
			break
		}
		r, ok = next()
	}
	return n.execute(ctx)
}

// waiting returns what the receiver has handed over and the loop has not taken.
func (n *Node) waiting() (r received, ok bool) {
	select {
	case r = <-n.inbox:
		return r, true
	default:
		return r, false
	}
}

func (n *Node) tick(ctx context.Context, now time.Time) error {
	connected := n.options.Connected != nil && n.options.Connected()
	n.mu.Lock()
	n.protocol.setConnected(now, connected)
	n.protocol.tick(now)
	if err := n.execute(ctx); err != nil || n.options.Recorder == nil {
		return err
	}
	return n.tickRecorder(ctx, now)
}

// tickRecorder lets the Recorder do what is due by time alone, and gives it the checkpoint that it wants.
func (n *Node) tickRecorder(ctx context.Context, now time.Time) error {
	n.mu.Lock()
	standing := n.protocol.standing()
	n.unlock()
	keeping := n.options.Recorder.Tick(now, standing)
	due := standing.InSync && n.options.Recorder.Due()
	n.mu.Lock()
	n.protocol.keeps(keeping)
	if due {
		n.protocol.checkpoint()
	}
	return n.execute(ctx)
}

func (n *Node) close(ctx context.Context) error {
	n.mu.Lock()
	n.protocol.close(time.Now())
	return n.execute(ctx)
}

func (n *Node) flushed() bool {
	n.mu.Lock()
	defer n.unlock()
	return n.protocol.flushed()
}

// unsent returns an error if entries have not reached the log.
func (n *Node) unsent() error {
	if waiting := n.Status().Waiting; waiting > 0 {
		return fmt.Errorf("shut down: %d entries have not reached the log", waiting)
	}
	return nil
}

// unlock releases the lock, wakes the goroutines that the protocol has something for, and writes its
// log records.
func (n *Node) unlock() {
	p := n.protocol
	records, due := p.records, p.wakeups
	p.records, p.wakeups = nil, wakeups{}
	if due.combiner && !p.combining.wanted {
		n.stopCombining()
	}
	n.mu.Unlock()
	if due.sender {
		wake(n.wake)
	}
	if due.evictor {
		wake(n.evicting)
	}
	if due.combiner {
		wake(n.combining)
	}
	for _, r := range records {
		r.write(n.options.Logger)
	}
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

var slogLevels = [...]slog.Level{levelInfo: slog.LevelInfo, levelWarn: slog.LevelWarn, levelError: slog.LevelError}

func (r logRecord) write(log *slog.Logger) {
	log.Log(context.Background(), slogLevels[r.level], r.message, r.args...)
}
