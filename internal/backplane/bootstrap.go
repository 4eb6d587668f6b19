package backplane

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// lookAfter is how long nobody has answered a join request before the instance looks at the
	// subscriptions of the others for the first time, lookEvery how long after that it does so again.
	lookAfter = 2 * time.Second
	lookEvery = 8 * time.Second
	// lookRequests is how many own join requests come back between two looks. All but one of them must
	// be unread in a subscription whose instance is dead: one may have been there at the first look. In
	// that of an instance that reads, one or two may be on their way.
	lookRequests = 4
	// joinerLasts is how long an instance whose join request was heard counts as out of sync; on a slow bus it is
	// joinerRoundTrips round trips, if those are longer. It is at least twice the time after which one that is out of
	// sync requests again while another is that is to bootstrap before it: see joinTick and attemptTimeout.
	joinerLasts      = 2 * maxJoinerTimeout
	joinerRoundTrips = 6
)

// bootstrapping is what an instance that joins, and gets no answer, knows of the others. It bootstraps only if
//
//   - its own join request has come back through the topic: an instance that can't hear itself knows nothing;
//   - nobody has answered since then for Timing.BootstrapAfter;
//   - nobody reads what is published: the messages in the subscriptions of the silent instances become more by every
//     join request. An instance that reads and is silent lives, and only can't send.
//
// It then removes the subscriptions of the silent instances. That is a fence: one of them that was only paused does
// not see its own entries come back from then on, and so acknowledges nothing. It learns that messages were lost, and
// joins again. Where the bus does not let the instance list or remove subscriptions, it waits for
// Timing.BlindBootstrapAfter instead. If all other subscriptions are of instances that are known to be out of sync, it
// waits for lookAfter only.
type bootstrapping struct {
	others others
	blind  bool // the bus doesn't let this instance list or remove subscriptions
	backs  int  // own join requests that came back while this instance joins

	look    look
	reading []string // instances that read and do not answer, as of the last look
	fence   []string // instances whose subscriptions are to be removed before this one bootstraps
}

// look is one look at the subscriptions of all instances.
type look struct {
	due    bool             // the bus is to be asked, or is being asked
	at     time.Time        // when its answer came; zero: it has not
	backs  int              // bootstrapping.backs then
	unread map[string]int64 // messages in each subscription then
}

// bootstrapAfter is how long nobody may be heard before this instance bootstraps the cluster.
func (p *protocol) bootstrapAfter() time.Duration { return max(p.BootstrapAfter, 3*p.join.roundTrip) }

// heardOfLate reports whether a time of others is so recent that this instance can't bootstrap yet.
func (p *protocol) heardOfLate(now, heard time.Time) bool {
	return !heard.IsZero() && now.Sub(heard) < p.bootstrapAfter()
}

// bootstrapTick looks at the others' subscriptions while nobody answers, and bootstraps if they allow it. The own
// request of the present attempt is back.
func (p *protocol) bootstrapTick(now time.Time) {
	b, j := &p.bootstrapping, p.join
	since := j.firstBackAt
	since = later(since, b.others.heardAt())
	if !b.look.at.IsZero() && since.After(b.look.at) {
		b.look, b.reading, b.fence = look{}, nil, nil // somebody may answer
	}
	silent := now.Sub(since)
	switch {
	case b.look.due || len(b.fence) > 0:
	case b.blind || !p.lists || !p.evicts:
		if silent >= max(p.BlindBootstrapAfter, p.bootstrapAfter()) {
			p.requestBootstrap(now)
		}
	case b.look.at.IsZero() && silent >= lookAfter, silent >= lookAfter && p.allJoin(now),
		silent >= p.bootstrapAfter() && now.Sub(b.look.at) >= lookEvery && b.backs >= b.look.backs+lookRequests:
		b.look.due = true
		p.wakeups.evictor = true
	}
}

// allJoin reports whether all that the last look has found silent are known to be out of sync by now, so that this
// instance need not wait for them any more.
func (p *protocol) allJoin(now time.Time) bool {
	b := &p.bootstrapping
	if now.Sub(b.look.at) < lookAfter || p.heardOfLate(now, b.others.betterAt()) {
		return false
	}
	for instance := range b.look.unread {
		if !p.joinsToo(now, instance) {
			return false
		}
	}
	return true
}

// requestBootstrap publishes the request behind which this instance bootstraps, unless somebody is heard before that is
// back.
func (p *protocol) requestBootstrap(now time.Time) {
	b := &p.bootstrapping
	b.look, b.reading, b.fence = look{}, nil, nil
	if p.recording && (p.log == nil || p.storing.own.Whole && !p.loading.used && !p.loading.failedFor(now, loadFor)) {
		p.load(now)
		return
	}
	p.requestJoin(now, entryBootstrap, p.join.attempt+1, p.join.reason)
}

const (
	// loadEvery is how long after an error the Recorder is asked again for what it has kept.
	loadEvery = time.Second
	// loadFor is how long an instance with a state of its own asks. Then it begins a log with that: an outage of the
	// storage must not end the chat.
	loadFor = 30 * time.Second
)

// loading is how this instance comes to the state that is kept, before it begins a log with it. The others may have
// gone on since it was in sync, and ended: so what is kept goes before the state that it has in memory.
type loading struct {
	wanted bool
	since  time.Time
	over   bool      // a state in memory is to be replaced
	failed time.Time // when it last failed; zero: it did not
	err    error     // then
	used   bool      // the state that this instance has was loaded
}

// load asks the Recorder for the state that is kept.
func (p *protocol) load(now time.Time) {
	if l := &p.loading; !l.wanted {
		l.wanted, l.since, l.over = true, now, p.log != nil
		p.effect(effect{kind: effectLoad})
	}
}

// loadTick tries again what has failed.
func (p *protocol) loadTick(now time.Time) {
	l := &p.loading
	if l.wanted && p.log != nil && (!l.over || p.join == nil) {
		*l = loading{} // somebody has answered
	}
	if l.over && p.log != nil && l.failedFor(now, loadFor) {
		p.logWarn("what is kept can't be read: this instance begins a log with the state that it has", "err", l.err)
		since := l.since
		*l = loading{since: since, failed: now}
		p.requestBootstrap(now)
		return
	}
	if l.wanted && !l.failed.IsZero() && now.Sub(l.failed) >= loadEvery {
		l.failed = time.Time{}
		p.effect(effect{kind: effectLoad})
	}
}

// failedFor reports whether loading has failed for so long.
func (l *loading) failedFor(now time.Time, d time.Duration) bool {
	return !l.failed.IsZero() && now.Sub(l.since) >= d
}

// loses takes note that the state in memory is about to be overwritten by what is kept.
func (p *protocol) loses() {
	if p.join != nil {
		p.log = nil
	}
}

// loaded answers effectLoad. log is the log state that is kept; nil: there is none.
func (p *protocol) loaded(now time.Time, log *logState, err error) {
	l := &p.loading
	switch {
	case errors.Is(err, ErrVersion):
		p.effect(effect{kind: effectStop, err: err})
		return
	case err != nil:
		if l.err == nil {
			p.logWarn("state not loaded from the store: this instance waits", "err", err)
		}
		l.failed, l.err = now, err
		return
	}
	over, wanted, since := l.over, l.wanted, l.since
	*l = loading{}
	if !wanted {
		return // messages have been lost since, and with them perhaps the news that another instance has begun a log
	}
	heard := p.bootstrapping.others.heardAt()
	if p.join == nil || p.log != nil && !over || !heard.Before(since) || now.Sub(heard) < lookAfter {
		return // another instance has been heard meanwhile, which answers or goes before
	}
	if log != nil {
		p.log = log
		l.used = true
		if own := log.records[p.instance]; own != nil {
			p.exceed(own.Epoch) // the clock may have been set back since
		}
		p.logInfo("state loaded from the store", "index", log.index, "log", log.cluster.Founder)
	}
	p.bootstrapping.look, p.bootstrapping.reading, p.bootstrapping.fence = look{}, nil, nil
	p.requestJoin(now, entryBootstrap, p.join.attempt+1, p.join.reason)
}

// listed takes the subscriptions of all instances.
func (p *protocol) listed(now time.Time, subscriptions []Subscription, err error) (pause time.Duration) {
	b, j := &p.bootstrapping, p.join
	before := b.look
	b.look.due = false
	switch {
	case j == nil:
		return 0
	case errors.Is(err, ErrForbidden):
		p.logWarn("bus does not let this instance see the subscriptions of the others", "err", err)
		b.blind = true
		return 0
	case err != nil:
		b.look.due = true
		return p.pause(now, &p.evictions.pace, err)
	}
	b.look = look{at: now, backs: b.backs, unread: make(map[string]int64)}
	var silent []string
	foreign := false
	b.reading = nil
	for _, s := range subscriptions {
		switch {
		case s.Instance == "":
			foreign = true // nobody knows whose it is
		case s.Instance == p.instance, p.joinsToo(now, s.Instance):
		default:
			b.look.unread[s.Instance] = s.Unread
			silent = append(silent, s.Instance)
			if were, ok := before.unread[s.Instance]; !ok || s.Unread-were < int64(b.backs-before.backs-1) {
				b.reading = append(b.reading, s.Instance)
			}
		}
	}
	if before.at.IsZero() {
		b.reading = nil // not known yet
	}
	heard := now.Sub(b.others.heardAt())
	switch {
	case foreign:
		b.blind = true
	case heard < lookAfter, p.heardOfLate(now, b.others.betterAt()):
	case len(silent) == 0:
		p.requestBootstrap(now)
	case before.at.IsZero() || len(b.reading) > 0 || heard < p.bootstrapAfter():
	default:
		p.logWarn("removing the subscriptions of silent instances", "instances", silent)
		b.fence = silent
		p.wakeups.evictor = true
	}
	return 0
}

// fenced takes the outcome of removing the subscription of a silent instance.
func (p *protocol) fenced(now time.Time, instance string, err error) (pause time.Duration) {
	b := &p.bootstrapping
	switch {
	case p.join == nil || len(b.fence) == 0:
		return 0 // somebody has answered
	case !b.others.heardAt().Before(b.look.at):
		b.look, b.reading, b.fence = look{}, nil, nil // somebody may answer, or begins a log
		return 0
	case errors.Is(err, ErrForbidden):
		b.blind, b.fence = true, nil
		return 0
	case err != nil:
		return p.pause(now, &p.evictions.pace, err)
	}
	b.fence = slices.DeleteFunc(b.fence, func(name string) bool { return name == instance })
	if len(b.fence) == 0 {
		p.requestBootstrap(now)
	}
	return 0
}

// whyNot says what this instance waits for while nobody answers; "" if there is nothing to say.
func (b *bootstrapping) whyNot() string {
	switch {
	case b.look.at.IsZero() && b.blind:
		return ": nobody answers, and this instance may not look after the others"
	case b.look.at.IsZero():
		return ""
	case len(b.reading) > 0:
		return fmt.Sprintf(": %s may live, and can't answer", strings.Join(b.reading, ", "))
	}
	return ": nobody answers"
}

// bootstrap begins a log at the own request e, with the state that this instance has. The log has a name of its own,
// even if the state is that of another log: another instance may begin one with that state, too.
func (p *protocol) bootstrap(now time.Time, e *envelope) {
	request, err := decodeControl(e.Items[0].Body)
	if err != nil {
		panic(err) // its own
	}
	if p.log == nil {
		p.log = newLogState(clusterID{}, p.knows)
	}
	if r := p.log.records[p.instance]; r != nil && r.Epoch >= p.epochs.current {
		p.exceed(r.Epoch)
		p.requestJoin(now, entryBootstrap, p.join.attempt+1, p.join.reason)
		return
	}
	if !p.begin(e, request, cmp.Or(e.Items[0].Time, p.stamp(now))) {
		panic("backplane: own join request is not admitted to the own log") // its epoch and rules were checked
	}
	p.checkpoint()
	p.logInfo("cluster bootstrapped: no instance answered", "instance", p.instance)
	used := p.loading.used
	p.enterSync(now, p.log.records[p.instance], nil, false)
	if used {
		p.evictPast(now)
	}
}

// evictPast appends the evictions of all members of the time that the state was loaded from: they have ended. Should
// one of them live after all, it joins again.
func (p *protocol) evictPast(now time.Time) {
	for _, r := range p.log.members() {
		if r.Instance != p.instance {
			peer := p.membership.peer(now, r.Instance)
			peer.actedAt, peer.acting = now, true
			p.appendControl(now, entryEvict, &control{Instance: r.Instance, Epoch: r.Epoch, Next: r.Next})
		}
	}
}

// begin begins a log at a request to do so: the own one, or one that was recorded. It reports false if the log state
// does not admit it.
func (p *protocol) begin(e *envelope, request *control, time int64) bool {
	p.log.begin(clusterID{Stamp: e.Epoch, Founder: e.From}, request.Loaded)
	for _, r := range p.log.records {
		r.InSync = false // an instance that is in sync will say so again
	}
	a, ok := p.log.admit(e.From, e.Epoch, request)
	if !ok {
		return false
	}
	a.InSync = true
	it := e.Items[0]
	it.Time = time
	p.record(e, 1, &it, true)
	p.effect(effect{kind: effectBegin, entry: Entry{
		Instance: e.From, Epoch: e.Epoch, Index: p.log.index, Time: time,
	}})
	p.log.endEnvelope()
	return true
}
