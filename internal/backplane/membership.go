package backplane

import (
	"slices"
	"time"
)

// A suspected instance is probed once it has been silent for suspicionAfter: what it published before
// it died may still be on its way. An instance that is heard suspicionLasts after it was suspected
// can't have been dead.
//
// A probe that was appended while this instance was cut off says nothing of the bus: maxProbeRoundTrip bounds what
// its way may lengthen the time for the answer.
const (
	suspicionAfter    = time.Second
	suspicionLasts    = 10 * time.Second
	maxProbeRoundTrip = 30 * time.Second
)

// membership is what this instance alone knows of the others. Unlike logState it is no part of the log.
type membership struct {
	peers       map[string]*peer
	suspects    map[string]bool // suspected since the last tick
	inSyncAt    time.Time
	heartbeatAt time.Time // when a heartbeat was last appended
	tickedAt    time.Time
}

// peer is what this instance knows of one other.
type peer struct {
	heardAt     time.Time     // zero: never
	admittedAt  time.Time     // when it became known here
	gapSince    time.Time     // since when an entry of it is missing; zero: none is
	missingAt   time.Time     // when it was last asked for that
	suspectedAt time.Time     // when it was first suspected of being dead, and not probed since; zero: it is not
	actedAt     time.Time     // when this instance last appended a probe or an eviction of it
	acting      bool          // and that has not come back yet
	watchedAt   time.Time     // since when this instance watches it; zero: another one does
	roundTrip   time.Duration // of the last probe of it from here
	probedAt    time.Time     // when the log probed it; zero: it owes no sign of life
	prober      string
}

// reset forgets the peers on joining.
func (m *membership) reset(now time.Time) {
	m.inSyncAt = now
	m.peers = make(map[string]*peer)
}

func (m *membership) peer(now time.Time, instance string) *peer {
	known := m.peers[instance]
	if known == nil {
		known = &peer{admittedAt: now}
		m.peers[instance] = known
	}
	return known
}

// hear notes a sign of life.
func (m *membership) hear(now time.Time, instance string) {
	peer := m.peer(now, instance)
	peer.heardAt = now
	peer.probedAt = time.Time{}
	if now.Sub(peer.suspectedAt) >= suspicionLasts {
		peer.suspectedAt = time.Time{}
	}
}

// silence is how long the instance was not heard, counted from when it could have been.
func (m *membership) silence(now time.Time, peer *peer, others ...time.Time) time.Duration {
	since := later(later(peer.heardAt, peer.admittedAt), m.inSyncAt)
	for _, t := range others {
		since = later(since, t)
	}
	return now.Sub(since)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// gaps reports whether entries of any peer are missing.
func (m *membership) gaps() bool {
	for _, peer := range m.peers {
		if !peer.gapSince.IsZero() {
			return true
		}
	}
	return false
}

// suspect says that an instance may be dead. The next tick in sync takes it up.
func (p *protocol) suspect(instance string) {
	if len(p.membership.suspects) < maxMembers {
		p.membership.suspects[instance] = true
	}
}

// memberTick sends heartbeats, and probes and evicts other members.
func (p *protocol) memberTick(now time.Time) {
	m := &p.membership
	suspects := m.suspects
	if len(suspects) > 0 {
		m.suspects = make(map[string]bool)
	}
	members := p.log.members()
	p.signTick(now, members)
	quiet := len(members) == 1 && now.Sub(p.outgoing.lastBatchAt) >= p.AloneHeartbeatAfter
	// A process that was stopped, or a machine that slept, may have been evicted, and its receiver may
	// have lost its link without an error. A heartbeat finds that out, since it has to come back.
	stopped := !m.tickedAt.IsZero() && now.Sub(m.tickedAt) >= p.AnswerTimeout
	m.tickedAt = now
	if stopped || quiet && now.Sub(m.heartbeatAt) >= p.AloneHeartbeatAfter {
		p.heartbeat(now)
	}
	watched := watchedBy(members, p.instance)
	for _, r := range members {
		if r.Instance != p.instance && p.join == nil {
			p.watch(now, r, slices.Contains(watched, r), suspects[r.Instance])
		}
	}
	if p.join == nil && p.deaf(now) >= 0 && p.signs.frequent && p.outbox.waiting() == 0 {
		p.heartbeat(now) // that it comes back, or does not, says which side is cut off
	}
}

// heartbeat tells the others that this instance lives, and which log index it has reached; once a
// second at most.
func (p *protocol) heartbeat(now time.Time) {
	if now.Sub(p.membership.heartbeatAt) < time.Second {
		return
	}
	p.membership.heartbeatAt = now
	p.appendControl(now, entryHeartbeat, nil)
}

// watch looks after one other member. The instance that it gives its signs of life to probes it when
// they stay away, and then evicts it. Where the log has a probe whose appending instance does nothing
// more, the others evict: the oldest first, and each next one an AnswerTimeout later, so that as a rule
// only one does.
func (p *protocol) watch(now time.Time, r *record, watched, suspected bool) {
	peer := p.membership.peer(now, r.Instance)
	if !peer.gapSince.IsZero() && now.Sub(peer.gapSince) >= p.AnswerTimeout {
		p.leaveSync(now, "entries of "+r.Instance+" are missing and were not published again")
		return
	}
	if suspected && peer.suspectedAt.IsZero() {
		peer.suspectedAt = now
	}
	if peer.acting {
		return // further entries would only pile up until the last one comes back
	}
	if !watched {
		peer.watchedAt = time.Time{}
	} else if peer.watchedAt.IsZero() {
		peer.watchedAt = now
	}
	if peer.probedAt.IsZero() {
		if p.suspicious(now, r, peer) && now.Sub(peer.actedAt) >= p.AnswerTimeout {
			peer.actedAt, peer.acting = now, true
			p.appendControl(now, entryProbe, &control{Instance: r.Instance, Epoch: r.Epoch})
		}
		return
	}
	if peer.prober == p.instance && now.Sub(peer.probedAt) >= suspicionAfter {
		p.suspectWatched(now, r.Instance)
	}
	timeout := max(p.ProbeTimeout, 2*peer.roundTrip+4*p.outgoing.slowest)
	if peer.prober != p.instance {
		// The prober evicts it first, if it can.
		timeout += p.AnswerTimeout + time.Duration(p.turn(r.Instance))*p.AnswerTimeout
	}
	if now.Sub(peer.probedAt) >= timeout && now.Sub(peer.actedAt) >= p.ProbeTimeout {
		peer.actedAt, peer.acting = now, true
		p.appendControl(now, entryEvict, &control{Instance: r.Instance, Epoch: r.Epoch, Next: r.Next})
	}
}

// suspicious reports whether a member has been silent for so long that it is to be probed.
func (p *protocol) suspicious(now time.Time, r *record, peer *peer) bool {
	silence := p.membership.silence(now, peer)
	after := time.Duration(suspicionAfter)
	if p.takesTurns() {
		after = p.SignAfter // a live instance may wait for as long
	}
	if !peer.suspectedAt.IsZero() && silence >= after {
		return true
	}
	if peer.watchedAt.IsZero() {
		return false
	}
	silence = p.membership.silence(now, peer, peer.watchedAt, p.signs.frequentSince)
	if !r.InSync {
		return silence >= max(joinerSilence, p.silentAfter())
	}
	return silence >= p.silentAfter()
}

// suspectWatched suspects the members that give their signs of life to an instance which has not answered a probe at
// once: nobody else would notice that they died at the same time. An answer to the probe of one of them ends that, so
// that one death does not have the whole ring probed.
func (p *protocol) suspectWatched(now time.Time, by string) {
	for _, r := range watchedBy(p.log.members(), by) {
		if r.Instance == p.instance {
			continue
		}
		if peer := p.membership.peer(now, r.Instance); peer.suspectedAt.IsZero() {
			peer.suspectedAt = now
		}
	}
}

// turn is how many instances act before this one when another is silent.
func (p *protocol) turn(silent string) int {
	names := p.log.donors(silent)
	if i := slices.Index(names, p.instance); i >= 0 {
		return i
	}
	return len(names)
}

// probed applies a probe, at the same log index on every instance. A probe is an entry, not a unicast,
// for two reasons. That it comes back proves to the prober that the log is alive, and another instance
// can go on if the prober dies.
func (p *protocol) probed(now time.Time, by string, c *control) {
	r := p.log.records[c.Instance]
	if r == nil || r.Gone || r.Epoch != c.Epoch {
		return
	}
	if c.Instance == p.instance {
		p.membership.heartbeatAt = time.Time{}
		p.heartbeat(now)
		if (p.takesTurns() || p.combining.wanted) && !p.signs.queued {
			p.sendSign(now, "") // the heartbeat may wait for its turn, or in the queue of a dead combiner
		}
		return
	}
	peer := p.membership.peer(now, c.Instance)
	peer.suspectedAt = time.Time{}
	if peer.probedAt.IsZero() {
		peer.probedAt, peer.prober = now, by
	}
}

// admit applies the join request of another instance. All members admit it at the same log index, and
// one donates a snapshot.
func (p *protocol) admit(now time.Time, e *envelope, it *item) {
	request, err := decodeControl(it.Body)
	if err != nil {
		p.counters.Malformed++
		return
	}
	if r := p.log.records[e.From]; r != nil && !r.Gone && r.Epoch == request.Base && r.Next < request.BaseNext {
		p.rejoin("entries of " + e.From + " did not arrive here")
	}
	if request.lineage().compare(p.log.lineage()) > 0 {
		if request.StateRules > p.knows { // this log goes on without what that state has, and must not
			p.stopForRules(request.StateRules)
			return
		}
		// If both states were loaded, the one with which a log has begun goes on: see otherRequest.
		if !request.Loaded || !p.log.loaded {
			p.rejoin("the state of " + e.From + " has followed the log further")
		}
	}
	a, ok := p.log.admit(e.From, e.Epoch, request)
	if !ok {
		p.counters.Repeats++
		p.refuse(e, request)
		return
	}
	p.record(e, 1, it, false)
	if a.restarted {
		at := Entry{Instance: e.From, Epoch: a.Start, Index: p.log.index, Time: it.Time}
		p.effect(effect{kind: effectGone, entry: at, instance: e.From})
	}
	p.membership.peers[e.From] = &peer{heardAt: now, admittedAt: now}
	delete(p.consistency.unknown, e.From)
	p.evictions.remove(e.From)
	p.outgoing.version = p.log.version()
	if it.Kind == entryBootstrap {
		p.heartbeat(now) // so that the requester learns of this cluster
	}
	if p.log.donor(e.From, request.Attempt) != p.instance || p.consistency.rejoinReason != "" {
		return
	}
	if request.Attempt > 1 {
		p.suspect(p.log.donor(e.From, request.Attempt-1))
	}
	if p.membership.gaps() {
		return // this instance may be out of sync
	}
	p.answer(now, receiver{Instance: e.From, Epoch: e.Epoch}, request.Shares)
}

// evict applies an eviction. It is void if more has been accepted of the instance than its evictor
// knew: it lives.
func (p *protocol) evict(at Entry, c *control) {
	r := p.log.records[c.Instance]
	if r == nil || r.Gone || r.Epoch != c.Epoch || r.Next > c.Next {
		return
	}
	p.counters.Evictions++
	p.logWarn("instance evicted", "instance", c.Instance, "by", at.Instance)
	if at.Instance == p.instance && c.Instance != p.instance && p.evicts {
		p.evictions.add(c.Instance)
		p.evictions.inherit(c.Instance)
		p.wakeups.evictor = true
	}
	p.evictions.evicted(c.Instance, at.Instance)
	p.leave(at, r)
	if c.Instance == p.instance {
		p.rejoin("evicted by " + at.Instance)
	}
}

// leave ends an instance's membership at the entry at.
func (p *protocol) leave(at Entry, r *record) {
	p.log.leave(r)
	delete(p.membership.peers, r.Instance)
	p.effect(effect{kind: effectGone, entry: at, instance: r.Instance})
	if r.Instance == p.instance && at.Instance == p.instance {
		p.outgoing.leaveBack = true
	}
	p.outgoing.version = p.log.version()
}
