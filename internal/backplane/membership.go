package backplane

import (
	"slices"
	"time"
)

// peer is what this instance alone knows of another: unlike the ledger, it is no part of the log.
type peer struct {
	heard     time.Time // zero: never
	admitted  time.Time // when it became known here
	holeSince time.Time // an entry of its is missing
	askedAt   time.Time // when it was asked for that
	suspected time.Time // when it was first suspected of being dead, and not asked since; zero: it is not
	actedAt   time.Time // when this instance last put a probe or an eviction of it in the log
	acting    bool      // and that has not come back yet
	probedAt  time.Time // when the log said that it owes a sign of life; zero: it doesn't
	prober    string
}

func (n *Node) peer(instance string) *peer {
	p := n.peers[instance]
	if p == nil {
		p = &peer{admitted: time.Now()}
		n.peers[instance] = p
	}
	return p
}

// An instance that is suspected is asked once it has been silent for suspicionAfter: what it said before it died may still be on its way.
// If it is heard suspicionLasts after it was suspected, it cannot have been dead.
const (
	suspicionAfter = time.Second
	suspicionLasts = 10 * time.Second
)

func (n *Node) hear(instance string, now time.Time) {
	p := n.peer(instance)
	p.heard = now
	p.probedAt = time.Time{}
	if now.Sub(p.suspected) >= suspicionLasts {
		p.suspected = time.Time{}
	}
}

// silence is how long nothing was heard of it, counted from when that could have been heard.
func (p *peer) silence(now, inStepAt time.Time) time.Duration {
	since := p.heard
	for _, t := range []time.Time{p.admitted, inStepAt} {
		if t.After(since) {
			since = t
		}
	}
	return now.Sub(since)
}

// memberTick beats, suspects, evicts.
func (n *Node) memberTick(now time.Time) {
	n.mu.Lock()
	var suspects map[string]bool // the loop's alone, while others write the next one
	if len(n.suspects) > 0 {
		suspects, n.suspects = n.suspects, make(map[string]bool)
	}
	lastSent := n.lastSent
	n.mu.Unlock()

	members := n.ledger.members()
	interval := n.options.BeatAfter
	if len(members) == 1 {
		interval = n.options.AloneBeatAfter
	}
	// A process that was stopped, or a machine that slept, may have been evicted meanwhile, and its receiver may have lost its link without
	// a word: a beat finds that out, since it has to come back.
	stopped := !n.tickedAt.IsZero() && now.Sub(n.tickedAt) >= n.options.AnswerAfter
	n.tickedAt = now
	if stopped || now.Sub(lastSent) >= interval && now.Sub(n.beatAt) >= interval {
		n.beat(now)
	}
	for _, r := range members {
		if r.Instance != n.instance && n.join == nil {
			n.watch(r, suspects[r.Instance], now)
		}
	}
}

// beat says that this instance lives, and where in the log it is.
func (n *Node) beat(now time.Time) {
	if now.Sub(n.beatAt) < time.Second {
		return
	}
	n.beatAt = now
	n.appendControl(entryBeat, nil)
}

// watch looks after one other member. Of several who see it silent the most senior acts first, and each next
// one a while later, so that as a rule only one does.
func (n *Node) watch(r *record, suspect bool, now time.Time) {
	p := n.peer(r.Instance)
	if !p.holeSince.IsZero() && now.Sub(p.holeSince) >= n.options.AnswerAfter {
		n.stepOut("entries of " + r.Instance + " are missing and did not come again")
		return
	}
	if suspect && p.suspected.IsZero() {
		p.suspected = now
	}
	if p.acting {
		return // what is put in the log while the last has not come back would only gather
	}
	owes := n.options.AnswerAfter
	turn := time.Duration(n.turn(r.Instance)) * owes
	if p.probedAt.IsZero() {
		silence := p.silence(now, n.inStepAt)
		suspect = !p.suspected.IsZero() && silence >= suspicionAfter || silence >= n.options.BeatAfter*5/2+turn
		if suspect && now.Sub(p.actedAt) >= owes {
			p.actedAt, p.acting = now, true
			n.appendControl(entryProbe, &control{Instance: r.Instance, Epoch: r.Epoch})
		}
		return
	}
	if p.prober != n.instance {
		owes += owes + turn // the one who asked has not drawn the consequence
	}
	if now.Sub(p.probedAt) >= owes && now.Sub(p.actedAt) >= n.options.AnswerAfter {
		p.actedAt, p.acting = now, true
		n.appendControl(entryEvict, &control{Instance: r.Instance, Epoch: r.Epoch, Next: r.Next})
	}
}

// turn is this instance's place among those who may act upon the silence of another.
func (n *Node) turn(suspect string) int {
	names := n.ledger.answerers(suspect)
	if i := slices.Index(names, n.instance); i >= 0 {
		return i
	}
	return len(names)
}

// probed is called when the log has the question whether an instance lives: for all at the same place. It is asked in the
// log, not addressed to it, because its coming back proves to the asker that the log itself is alive, and so that
// another can go on if the asker dies.
func (n *Node) probed(by string, c *control, now time.Time) {
	r := n.ledger.records[c.Instance]
	if r == nil || r.Gone || r.Epoch != c.Epoch {
		return
	}
	if c.Instance == n.instance {
		n.beatAt = time.Time{}
		n.beat(now)
		return
	}
	p := n.peer(c.Instance)
	p.suspected = time.Time{}
	if p.probedAt.IsZero() {
		p.probedAt, p.prober = now, by
	}
}

// evict applies an eviction, unless more has been accepted of the instance than the evicting one knew: it lives.
func (n *Node) evict(at Entry, c *control) {
	r := n.ledger.records[c.Instance]
	if r == nil || r.Gone || r.Epoch != c.Epoch || r.Next > c.Next {
		return
	}
	n.delta.Evictions++
	n.options.Logger.Warn("instance evicted", "instance", c.Instance, "by", at.Instance)
	if at.Instance == n.instance && c.Instance != n.instance {
		n.remove(c.Instance)
	}
	n.leaves(at, r)
	if c.Instance == n.instance {
		n.leaveStep("evicted by " + at.Instance)
	}
}

// leaves ends an instance's membership at this place in the log.
func (n *Node) leaves(at Entry, r *record) {
	n.ledger.leave(r)
	delete(n.peers, r.Instance)
	n.state.Gone(at, r.Instance)
	if r.Instance == n.instance && at.Instance == n.instance {
		n.goodbyeIn = true
	}
	n.updateVersion()
}

// updateVersion lets batches be written in the newest version that all members read.
func (n *Node) updateVersion() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.header.Version = n.ledger.version()
	n.header.Needs = oldestVersion
}

// outboxTick tells of own entries that are late, and publishes again what may be lost.
func (n *Node) outboxTick(now time.Time) {
	var late [][]byte
	cut := n.join != nil && n.join.helloBackAt.IsZero() && now.Sub(n.join.helloMadeAt) >= n.options.ProvisionalAfter
	n.mu.Lock()
	for i := n.out.head; i < len(n.out.entries); i++ {
		o := &n.out.entries[i]
		if now.Sub(o.at) < n.options.ProvisionalAfter {
			break
		}
		cut = cut || i == n.out.head
		if o.Kind == entryBody && !o.told {
			o.told = true
			late = append(late, o.Body)
		}
	}
	if n.out.resend == 0 {
		n.out.resend = n.options.ResendAfter
	}
	if n.sealable && !n.out.headSent.IsZero() && now.Sub(n.out.headSent) >= n.out.resend {
		if n.out.resend > n.options.ResendAfter {
			n.restart() // the bus may have gone silent
		}
		n.out.resend = min(2*n.out.resend, time.Minute)
		n.out.headSent = now
		n.out.resendHead = true
		n.wakeSender()
	}
	n.delta.Provisional += uint64(len(late))
	n.reportLocked()
	n.mu.Unlock()

	if cut != !n.cutSince.IsZero() {
		if n.cutSince = now; !cut {
			n.cutSince = time.Time{}
		}
		n.options.Local.CutOff(cut)
	}
	for _, body := range late {
		n.options.Local.Provisional(body)
	}
}
