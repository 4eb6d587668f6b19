package backplane

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// How long a snapshot that was asked for may make no progress before it is asked for again, elsewhere: patience at
// first and while nobody is heard who could answer, else doubled after every fourth attempt up to mostPatience.
const (
	patience     = 2 * time.Second
	mostPatience = 32 * time.Second
)

// joining is an attempt to get in step: hello out, hello back, snapshot in parts, then what came behind the hello.
type joining struct {
	because     string
	kind        uint8 // of the hello: entryAsk or entryFound
	attempt     uint64
	helloMadeAt time.Time
	helloBackAt time.Time // zero: not yet; from it on the log is held
	progressAt  time.Time
	toldAt      time.Time     // when the log of the program was last told of the joining
	firstBackAt time.Time     // when the first attempt's hello was back: the log is alive since
	roundTrip   time.Duration // of the last hellos: an answer takes about as long
	senior      time.Time     // when somebody was last heard who is in step, or has more of the log and is to found first
	held        []*envelope
	heldBytes   int
	from        string // whose chunks these are
	chunks      [][]byte
	missing     int
	chunkBytes  int
}

func (j *joining) why() string {
	if j.firstBackAt.IsZero() || j.helloBackAt.IsZero() && time.Since(j.helloMadeAt) > patience {
		return fmt.Sprintf("joining the cluster (%s): waiting for the bus", j.because)
	}
	return fmt.Sprintf("joining the cluster (%s): asked %d times for a snapshot", j.because, j.attempt)
}

func (n *Node) patience(now time.Time) time.Duration {
	p := time.Duration(patience)
	if n.seniorHeard(now) {
		p = min(patience<<min(n.join.attempt/4, 10), mostPatience)
	}
	return max(p, 2*n.join.roundTrip)
}

// firstHello is what a new process begins with: if the bus knows that it is alone, nobody needs to be asked.
func (n *Node) firstHello(ctx context.Context) uint8 {
	checker, ok := n.bus.(LoneChecker)
	if !ok {
		return entryAsk
	}
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	alone, err := checker.Alone(ctx)
	if err != nil {
		n.options.Logger.Warn("bus could not say whether others are there", "err", err)
	}
	if alone && err == nil {
		return entryFound
	}
	return entryAsk
}

// stepOut stops following the log. State and ledger stay, in case that nobody else has any.
func (n *Node) stepOut(because string) {
	n.outBecause = ""
	if n.join != nil {
		// What was held has a hole; what is asked for from now on hasn't.
		n.startJoining(entryAsk, n.join.attempt+1, because)
		return
	}
	n.options.Logger.Warn("out of step", "reason", because)
	n.mu.Lock()
	n.base, n.baseNext = n.epoch, n.out.next()
	n.mu.Unlock()
	n.startJoining(entryAsk, 1, because)
}

// startJoining says hello in an epoch of its own, so that an answer tells which hello it answers.
func (n *Node) startJoining(kind uint8, attempt uint64, because string) {
	now := time.Now()
	j := &joining{because: because, kind: kind, attempt: attempt, helloMadeAt: now, toldAt: now}
	if n.join != nil {
		j.because, j.firstBackAt, j.senior, j.roundTrip = n.join.because, n.join.firstBackAt, n.join.senior, n.join.roundTrip
		j.toldAt = n.join.toldAt
	}
	n.join = j
	n.epoch = max(n.epoch+1, uint64(max(now.UnixMilli(), 1)))
	ask := control{Start: n.start, Base: n.base, BaseNext: n.baseNext, Attempt: attempt, Speaks: newestVersion}
	if n.ledger != nil {
		ask.Cluster, ask.Place = n.ledger.cluster, n.ledger.place
	}
	if ask.Start == 0 {
		ask.Start = n.epoch
	}
	hello := &envelope{
		Version: oldestVersion, Needs: oldestVersion, Kind: kindLog, From: n.instance, Epoch: n.epoch, First: 1,
		Items: []item{{Kind: kind, Time: now.UnixMilli(), Body: ask.encode()}},
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sealable = false
	n.hello, n.helloAt = hello, time.Time{}
	n.wakeSender()
}

// hold takes in an envelope of the log while out of step.
func (n *Node) hold(e *envelope, size int) {
	j, now := n.join, time.Now()
	first := e.Items[0].Kind
	hello := e.First == 1 && (first == entryAsk || first == entryFound)
	switch {
	case e.From == n.instance && e.Epoch == n.epoch && hello:
		if j.helloBackAt.IsZero() {
			n.helloBack(e, now)
		}
		return
	case e.From == n.instance:
	case e.Place > 0:
		j.senior = now
	case hello:
		n.otherHello(&e.Items[0], now)
	}
	if j.helloBackAt.IsZero() {
		return
	}
	if j.heldBytes+size > n.options.MaxHeld {
		n.startJoining(entryAsk, j.attempt+1, j.because)
		return
	}
	j.held = append(j.held, e)
	j.heldBytes += size
}

// helloBack is called at the place in the log at which this instance asked.
func (n *Node) helloBack(e *envelope, now time.Time) {
	j := n.join
	j.helloBackAt, j.progressAt = now, now
	j.roundTrip /= 2
	n.mu.Lock()
	if !n.helloAt.IsZero() { // else it was faster than Publish
		j.roundTrip = max(j.roundTrip, min(now.Sub(n.helloAt), mostPatience))
	}
	n.mu.Unlock()
	if j.firstBackAt.IsZero() {
		j.firstBackAt = now
	}
	if j.kind == entryFound && !n.seniorHeard(now) {
		n.found(e)
	}
}

// joinTick asks again, or founds.
func (n *Node) joinTick(now time.Time) {
	j := n.join
	if now.Sub(j.toldAt) >= tellEvery {
		j.toldAt = now
		n.options.Logger.Warn("not in step yet", "why", j.why())
	}
	if j.helloBackAt.IsZero() {
		n.mu.Lock()
		lost := !n.helloAt.IsZero() && now.Sub(n.helloAt) >= n.options.ResendAfter<<min(j.attempt-1, 4)
		if lost && j.attempt > 1 {
			n.restart() // the bus may have gone silent
		}
		n.mu.Unlock()
		if lost {
			n.startJoining(j.kind, j.attempt+1, j.because)
		}
		return
	}
	if now.Sub(j.progressAt) < n.patience(now) {
		return
	}
	kind := uint8(entryAsk)
	if now.Sub(j.firstBackAt) >= n.foundAfter() && !n.seniorHeard(now) {
		kind = entryFound
	}
	n.startJoining(kind, j.attempt+1, j.because)
}

// admit lets an instance in that asks. Everybody in step does so at the same place, and one of them answers.
func (n *Node) admit(e *envelope, it *item, now time.Time) {
	ask, err := decodeControl(it.Body)
	if err != nil {
		n.delta.Malformed++
		return
	}
	if r := n.ledger.records[e.From]; r != nil && !r.Gone && r.Epoch == ask.Base && r.Next < ask.BaseNext {
		n.leaveStep("entries of " + e.From + " did not arrive here")
	}
	if ask.compareState(n.ledger) > 0 {
		n.leaveStep("the state of " + e.From + " has more of the log")
	}
	a, ok := n.ledger.admit(e.From, e.Epoch, ask)
	if !ok {
		n.delta.Repeats++
		return
	}
	if a.restarted {
		n.state.Gone(Entry{Instance: e.From, Epoch: a.Start, Time: it.Time}, e.From)
	}
	n.peers[e.From] = &peer{heard: now, admitted: now}
	delete(n.strangers, e.From)
	n.keep(e.From)
	n.updateVersion()
	if it.Kind == entryFound {
		n.beat(now) // there is a cluster already
	}
	if n.ledger.responder(e.From, ask.Attempt) != n.instance || n.outBecause != "" {
		return
	}
	if ask.Attempt > 1 {
		n.Suspect(n.ledger.responder(e.From, ask.Attempt-1))
	}
	for _, p := range n.peers {
		if !p.holeSince.IsZero() {
			return // not in step itself, perhaps
		}
	}
	n.answer(e.From, e.Epoch)
}

// enterStep resumes following the log behind the place at which this instance asked, with what was held since.
func (n *Node) enterStep(own *record, held []*envelope, asked bool) {
	n.join = nil
	n.inStepAt = time.Now()
	n.compareNum = 0
	n.peers = make(map[string]*peer)
	n.strangers = make(map[string]time.Time)
	n.delta.Joins++
	n.mu.Lock()
	n.hello = nil
	n.header.Epoch = n.epoch // so that a batch of the old one, still under way, counts no more
	settled := n.out.settle(own.hasSeen)
	n.mu.Unlock()
	for _, o := range settled {
		n.options.Local.Committed(Entry{Instance: n.instance, Epoch: n.start, Number: o.Seq, Time: o.Time, Body: o.Body})
	}
	for _, e := range held {
		n.follow(e)
	}
	if n.outBecause != "" {
		n.stepOut(n.outBecause)
		return
	}
	n.options.Logger.Info("in step", "instance", n.instance, "members", len(n.ledger.members()))
	n.updateVersion()
	first := slices.DeleteFunc(n.options.Local.Joined(), func(body []byte) bool {
		tooLarge := len(body) > n.options.MaxEntry
		if tooLarge {
			n.options.Logger.Error("entry left out on joining", "bytes", len(body), "err", ErrTooLarge)
		}
		return tooLarge
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	n.out.prepend(entryBody, first, now)
	if asked {
		n.out.prepend(entryJoined, [][]byte{nil}, now)
	}
	n.sealable = true
	n.lastSent = now
	n.reportLocked()
	if n.closed {
		n.out.append(entryGoodbye, nil, now)
	}
	n.wakeSender()
}
