package backplane

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// simulation drives protocols over a bus in memory, in virtual time, on one goroutine. Everything in it
// follows from the seed.
type simulation struct {
	random *rand.Rand
	now    time.Time
	events events
	nodes  []*simNode
	trace  []string // every effect, in order

	applied func(*Entry) // called for each entry that a node applies; nil: is not
}

// simNode is the shell of a protocol in a simulation: what Node is in a process.
type simNode struct {
	*protocol
	sim       *simulation
	state     []string // the state machine: bodies applied, and instances gone
	queue     []simMessage
	logged    map[string]int // log records by their message
	due       time.Time      // when the last of queue is delivered
	sending   bool
	cut, dead bool
	deaf      bool  // receives nothing until it calls Receive again
	refused   uint8 // kind of the envelopes that the bus does not take
}

// simMessage is a message on its way to a node.
type simMessage struct {
	envelope *envelope
	enqueued time.Time
}

// event is something that happens at a time. Of two at one time the one scheduled first comes first.
type event struct {
	at     time.Time
	number int
	run    func()
}

type events struct {
	queue []event
	last  int
}

func (e *events) Len() int           { return len(e.queue) }
func (e *events) Swap(i, j int)      { e.queue[i], e.queue[j] = e.queue[j], e.queue[i] }
func (e *events) Push(x any)         { e.queue = append(e.queue, x.(event)) }
func (e *events) Less(i, j int) bool { return e.queue[i].before(e.queue[j]) }

func (e *events) Pop() any {
	last := e.queue[len(e.queue)-1]
	e.queue = e.queue[:len(e.queue)-1]
	return last
}

func (e event) before(other event) bool {
	return e.at.Before(other.at) || e.at.Equal(other.at) && e.number < other.number
}

func newSimulation(seed uint64) *simulation {
	return &simulation{random: rand.New(rand.NewPCG(seed, 3)), now: someTime}
}

func (s *simulation) after(d time.Duration, run func()) {
	s.events.last++
	heap.Push(&s.events, event{at: s.now.Add(d), number: s.events.last, run: run})
}

// delay is how long a message is on its way to the bus, or from there.
func (s *simulation) delay() time.Duration {
	return time.Duration(s.random.Int64N(int64(50 * time.Millisecond)))
}

// run lets virtual time pass.
func (s *simulation) run(d time.Duration) {
	end := s.now.Add(d)
	for s.events.Len() > 0 && !s.events.queue[0].at.After(end) {
		e := heap.Pop(&s.events).(event)
		s.now = e.at
		e.run()
	}
	s.now = end
}

func (s *simulation) start(name string) *simNode {
	var o Options
	o.setDefaults(MinBody)
	n := &simNode{sim: s, logged: make(map[string]int), protocol: newProtocol(config{
		Limits: o.Limits, Timing: o.Timing, instance: name, maxBody: MinBody, evicts: true, lists: true,
		knows: 1, wall: o.Wall,
	})}
	s.nodes = append(s.nodes, n)
	n.input(func() { n.protocol.start(s.now, false) })
	s.after(time.Duration(s.random.Int64N(int64(tickEvery))), n.tickAgain)
	return n
}

func (s *simulation) live() []*simNode {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(n *simNode) bool { return n.dead })
}

// input gives the protocol an input, executes its effects, and sends what it has to send.
func (n *simNode) input(give func()) {
	if n.dead {
		return
	}
	give()
	for len(n.effects) > 0 {
		effects := n.effects
		n.effects = nil
		for i := range effects {
			n.execute(&effects[i])
		}
	}
	for _, r := range n.records {
		n.logged[r.message]++
	}
	n.records = nil
	if m, ok := n.nextManaging(); ok {
		n.managed(n.sim.now, m, n.sim.subscriptions(), nil)
	}
	n.send()
}

func (n *simNode) execute(e *effect) {
	s := n.sim
	s.trace = append(s.trace, fmt.Sprint(
		s.now.UnixNano(), n.instance, e.kind, e.entry.Number, string(e.entry.Body), e.instance,
	))
	switch e.kind {
	case effectApply:
		if s.applied != nil {
			s.applied(&e.entry)
		}
		n.state = append(n.state, string(e.entry.Body))
	case effectGone:
		n.state = append(n.state, "gone "+e.instance)
	case effectTakeSnapshot:
		encoded, err := e.snapshot.encode(newCompressor(), []byte(strings.Join(n.state, "\n")), n.MaxState)
		n.snapshotTaken(e.snapshot, encoded, err)
	case effectRestore:
		snapshot, err := e.restore.decode(1, n.MaxState)
		if err == nil {
			n.state = strings.FieldsFunc(string(snapshot.State), func(r rune) bool { return r == '\n' })
		}
		n.restored(s.now, e.restore, snapshot, err)
	case effectReceiveAgain:
		n.deaf = false
	case effectJoined:
		n.joined(s.now, nil)
	}
}

func (n *simNode) tickAgain() {
	n.input(func() { n.tick(n.sim.now) })
	if !n.dead {
		n.sim.after(tickEvery, n.tickAgain)
	}
}

// send publishes one message at a time.
func (n *simNode) send() {
	if n.sending || n.dead {
		return
	}
	m, ok := n.nextMessage(n.sim.now, nil)
	if !ok {
		return
	}
	n.sending = true
	n.sim.after(n.sim.delay(), func() {
		err := errors.New("cut off")
		if !n.cut && !n.dead && m.envelope.Kind != n.refused {
			err = nil
			n.sim.publish(&m)
		}
		pause := n.published(n.sim.now, &m, headerRoom, err)
		n.sim.after(pause, func() {
			n.sending = false
			n.send()
		})
	})
}

func (s *simulation) subscriptions() (all []Subscription) {
	for _, n := range s.live() {
		all = append(all, Subscription{Instance: n.instance, Unread: int64(len(n.queue))})
	}
	return all
}

// busTime is what the bus's clock shows.
func (s *simulation) busTime() time.Time { return busEpoch.Add(s.now.Sub(someTime)) }

// publish puts a message into the queue of every node, in one order for all.
func (s *simulation) publish(m *message) {
	for _, n := range s.live() {
		if m.to != "" && m.to != n.instance {
			continue
		}
		n.queue = append(n.queue, simMessage{&m.envelope, s.busTime()})
		if due := s.now.Add(s.delay()); due.After(n.due) {
			n.due = due
		}
		s.after(n.due.Sub(s.now), n.deliver)
	}
}

// deliver hands over the oldest message. Those for a node that is cut off wait.
func (n *simNode) deliver() {
	if n.cut || n.deaf || len(n.queue) == 0 {
		return
	}
	m := n.queue[0]
	n.queue = n.queue[1:]
	n.input(func() {
		n.enqueued(n.sim.now, m.enqueued)
		n.receive(n.sim.now, m.envelope, headerRoom)
	})
}

func (n *simNode) heal() {
	n.cut = false
	for range len(n.queue) {
		n.deliver()
	}
}

// say appends an entry whose body is text.
func (n *simNode) say(t *testing.T, text string) {
	t.Helper()
	n.input(func() {
		if err := n.append(n.sim.now, []byte(text), "", ""); err != nil {
			t.Errorf("append(%q) at %s = %v", text, n.instance, err)
		}
	})
}

// runStory takes three instances through join, messages, the loss of one, a partition and its end. It
// returns what was said.
func runStory(t *testing.T, s *simulation) (said []string) {
	a, b, c := s.start("a"), s.start("b"), s.start("c")
	appendAtAll := func(when string) {
		for i := range 20 {
			for _, n := range s.live() {
				text := fmt.Sprintf("%s %d of %s", when, i, n.instance)
				said = append(said, text)
				n.say(t, text)
			}
			s.run(s.delay())
		}
	}
	appendAtAll("joining")
	s.run(20 * time.Second)
	appendAtAll("together")
	s.run(5 * time.Second)
	c.dead = true
	a.suspect("c")
	appendAtAll("without c")
	s.run(20 * time.Second)
	b.cut = true
	appendAtAll("partitioned")
	s.run(time.Minute)
	a.suspect("b")
	s.run(time.Minute)
	appendAtAll("evicted")
	b.heal()
	s.run(time.Minute)
	return said
}

func TestProtocolsAgreeInSimulation(t *testing.T) {
	for seed := range uint64(20) {
		s := newSimulation(seed)
		said := runStory(t, s)
		live := s.live()
		for _, n := range live {
			if !n.report.status.Ready || len(n.report.status.Members) != len(live) {
				t.Errorf("seed %d: status of %s is %+v, want it ready", seed, n.instance, n.report.status)
			}
			if !slices.Equal(n.state, live[0].state) {
				t.Errorf("seed %d: states of %s and %s differ:\n%q\n%q",
					seed, n.instance, live[0].instance, n.state, live[0].state)
			}
		}
		count := make(map[string]int)
		for _, text := range live[0].state {
			count[text]++
		}
		for _, text := range said {
			if count[text] != 1 {
				t.Errorf("seed %d: %q was applied %d times, want once", seed, text, count[text])
			}
		}
		if count["gone c"] != 1 || count["gone b"] != 1 {
			t.Errorf("seed %d: c is gone %d times, b %d times, want once each", seed, count["gone c"], count["gone b"])
		}
	}
}

func TestSimulationFollowsFromItsSeed(t *testing.T) {
	first, second := newSimulation(1), newSimulation(1)
	runStory(t, first)
	runStory(t, second)
	if len(first.trace) < 100 || !slices.Equal(first.trace, second.trace) {
		t.Errorf("two runs of one seed have %d and %d effects, want the same", len(first.trace), len(second.trace))
	}
}

// A sign of life that failed is not missed once the instance publishes again, so that none is due.
func TestInstanceThatPublishesIsNotCutOff(t *testing.T) {
	s := newSimulation(1)
	a, b := s.start("a"), s.start("b")
	for _, n := range []*simNode{a, b} {
		n.setConnected(s.now, true)
	}
	s.run(20 * time.Second)
	b.refused = kindSign
	s.run(10 * time.Second)
	if !b.report.status.CutOff {
		t.Error("not cut off although the bus takes no sign of life")
	}
	for i := range 10 {
		b.say(t, fmt.Sprint(i))
		s.run(300 * time.Millisecond)
	}
	if b.report.status.CutOff {
		t.Error("cut off although everything that is published comes back")
	}
}

// That entries waited while the instance was cut off does not say that the bus is slow.
func TestSilenceIsFoundSoonAfterACut(t *testing.T) {
	s := newSimulation(1)
	s.start("a")
	b := s.start("b")
	s.run(20 * time.Second)
	b.cut = true
	b.say(t, "waits")
	s.run(20 * time.Second)
	b.heal()
	s.run(20 * time.Second)
	b.deaf = true
	b.say(t, "does not come back")
	s.run(5 * time.Second)
	if b.deaf {
		t.Error("Receive is not called again although nothing has come for 5s")
	}
}

// A log that was begun by a build without the rules of an older one's state gives way to that state.
func TestMemberEndsForAStateWhoseRulesItDoesNotKnow(t *testing.T) {
	s := newSimulation(1)
	b := s.start("b")
	s.run(20 * time.Second)
	if !b.report.status.Ready {
		t.Fatalf("status is %+v, want it ready", b.report.status)
	}
	request := control{Start: 5, Attempt: 1, Reads: newestVersion, Rules: 2, StateRules: 2,
		Cluster: clusterID{Stamp: 1, Founder: "c"}, Index: 99}
	b.receive(s.now, &envelope{
		Version: oldestVersion, Needs: oldestVersion, Kind: kindLog, From: "c", Epoch: 5, First: 1,
		Items: []item{{Kind: entryJoinRequest, Body: request.encode()}},
	}, headerRoom)
	var stop error
	for _, e := range b.effects {
		if e.kind == effectStop {
			stop = e.err
		}
	}
	if !errors.Is(stop, ErrVersion) {
		t.Errorf("it ends by %v, want an error that wraps ErrVersion", stop)
	}
}

// The instance with the longest log is to bootstrap, and waits for the others as long as it does not know that they
// are out of sync, too. They let it know, however patient they have become in an outage before, and however their
// requests alternate.
func TestInstancesOutOfSyncDoNotWaitForOneAnother(t *testing.T) {
	s := newSimulation(1)
	a, b, c := s.start("a"), s.start("b"), s.start("c")
	s.run(30 * time.Second)
	b.cut, c.cut = true, true // so that a has more of the log
	a.say(t, "a's")
	s.run(500 * time.Millisecond)
	for _, n := range s.live() {
		n.queue, n.cut = nil, false
		n.input(func() { n.lost(s.now) })
		n.join.attempt = 40
	}
	s.run(time.Second)
	a.bootstrapping.others = nil
	c.join.progressAt = s.now.Add(-maxSnapshotTimeout / 2)
	s.run(40 * time.Second)
	for _, n := range s.live() {
		if n.join != nil {
			t.Fatalf("%s is out of sync after 40s: %s", n.instance, n.whyOutOfSync(s.now))
		}
		if !slices.Equal(n.state, a.state) || !slices.Contains(n.state, "a's") {
			t.Errorf("%s has state %q, a has %q, want that with its entry", n.instance, n.state, a.state)
		}
	}
}

// A sign of life that the bus was too busy for is sent later. If the instance is out of sync by then, it no longer says
// how far it has followed the log: with its new epoch that would tell others that they have missed its join.
func TestSignOfAnInstanceOutOfSyncNamesNoLogIndex(t *testing.T) {
	s := newSimulation(1)
	a := s.start("a")
	s.start("b")
	s.run(30 * time.Second)
	a.sendSign(s.now, "b")
	m, ok := a.nextMessage(s.now, nil)
	if !ok || m.envelope.Kind != kindSign || m.envelope.Index == 0 {
		t.Fatalf("the next message is %+v, want a sign of life with a log index", m.envelope)
	}
	a.published(s.now, &m, headerRoom, ErrBusy)
	a.lost(s.now)
	for m.request = true; m.request; a.published(s.now, &m, headerRoom, nil) {
		m, _ = a.nextMessage(s.now, nil)
	}
	if m.envelope.Kind != kindSign || m.envelope.Index != 0 {
		t.Errorf("the message beside the join request is %+v, want a sign of life without a log index", m.envelope)
	}
}
