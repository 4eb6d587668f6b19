package backplane

import "time"

// early is called for an entry whose predecessor has not come. Either the bus has lost that one for all
// instances. Then its sender publishes it again, with all that followed, and it gets the same log index
// everywhere, because no instance has kept the later ones. Or it was lost to this instance alone, and
// only a snapshot helps. The sender knows which.
func (p *protocol) early(now time.Time, e *envelope, r *record) {
	if e.From == p.instance {
		if p.resendAll() {
			p.counters.Gaps++
		}
		return
	}
	peer := p.membership.peer(now, e.From)
	if peer.gapSince.IsZero() {
		p.counters.Gaps++
		peer.gapSince = now
		peer.missingAt = time.Time{}
	}
	if now.Sub(peer.missingAt) >= time.Second {
		peer.missingAt = now
		p.unicast(unicast{to: e.From, envelope: envelope{Kind: kindMissing, First: r.Next}})
	}
}

// resendMissing answers an instance that misses entries of this one.
func (p *protocol) resendMissing(now time.Time, e *envelope) {
	if p.join != nil {
		return
	}
	if e.First < p.outbox.next() || !p.resendAll() {
		// They are in the log, or on their way again. The checkpoint of a heartbeat shows the other
		// what it has missed.
		p.heartbeat(now)
	}
}

// resendAll publishes again all entries that have not come back. It reports false if it has done so
// already, and nothing has come back since.
func (p *protocol) resendAll() bool {
	resent, first := p.outbox.rewind()
	if first {
		p.counters.Resent += uint64(resent)
		p.wakeups.sender = true
	}
	return first
}

// outboxTick notifies Local of own entries that are late, and publishes again what may be lost.
func (p *protocol) outboxTick(now time.Time) {
	o := &p.outbox
	late := func(e *ownEntry) bool { return now.Sub(e.at) >= p.ProvisionalAfter }
	requestLate := p.join != nil && p.join.backAt.IsZero() && now.Sub(p.join.requestedAt) >= p.ProvisionalAfter
	p.setCutOff(now, requestLate || o.waiting() > 0 && late(&o.entries[o.head]) || p.signsLate(now))
	for i := o.head; i < len(o.entries); i++ { // entries that others went before may be behind ones that are not late
		if own := &o.entries[i]; own.Kind == entryBody && !own.notified && late(own) {
			own.notified = true
			p.counters.Provisional++
			p.effect(effect{kind: effectProvisional, entry: Entry{Body: own.Body}})
		}
	}
	p.resendTick(now)
}

// resendTick publishes the oldest batch again if it has not come back in time, and then after twice
// that time, and so on.
func (p *protocol) resendTick(now time.Time) {
	o := &p.outbox
	if o.resendAfter == 0 {
		o.resendAfter = p.ResendAfter
	}
	if !p.outgoing.open || o.headSent.IsZero() || now.Sub(o.headSent) < o.resendAfter {
		return
	}
	if o.resendAfter > p.ResendAfter {
		p.effect(effect{kind: effectReceiveAgain}) // the bus may have gone silent
	}
	o.resendAfter = min(2*o.resendAfter, time.Minute)
	o.headSent = now
	o.resendHead = true
	p.wakeups.sender = true
}
