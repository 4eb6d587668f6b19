package backplane

import "time"

// follow applies an envelope of the log while in sync. Its effect on log state and state machine
// depends on the log alone.
func (p *protocol) follow(now time.Time, e *envelope) {
	own := e.From == p.instance
	r := p.log.records[e.From]
	if !own && e.Index > 0 {
		p.checkSender(now, e, r)
	}
	p.hearKeeping(e)
	if !own && r != nil && !r.Gone && r.Epoch == e.Epoch {
		p.membership.hear(now, e.From)
	}
	if own {
		p.clock.own(p.outbox.appendedAt(e))
	}
	back := 0 // own entries that come back in this envelope
	for i := range e.Items {
		number, it := e.First+uint64(i), &e.Items[i]
		if number == 1 && (it.Kind == entryJoinRequest || it.Kind == entryBootstrap) {
			p.admit(now, e, it)
			r = p.log.records[e.From]
			continue
		}
		class := p.log.classify(r, e.Epoch, number)
		switch class {
		case accepted:
			p.accept(now, e, r, number, it)
			if own && number > 1 {
				back++
			}
		case repeated:
			p.counters.Repeats++
		case early:
			p.early(now, e, r)
		case unexpected:
			p.counters.Unexpected += uint64(len(e.Items) - i)
			p.unexpected(now, e, r)
		}
		if class == early || class == unexpected {
			break
		}
	}
	p.log.endEnvelope()
	if back > 0 {
		p.cameBack(now, back)
	}
}

// accept does what an accepted entry says.
func (p *protocol) accept(now time.Time, e *envelope, r *record, number uint64, it *item) {
	p.record(e, number, it, false)
	at := Entry{Instance: e.From, Epoch: r.Start, Number: it.Seq, Index: p.log.index, Time: it.Time}
	if e.From != p.instance {
		p.membership.peer(now, e.From).gapSince = time.Time{}
	}
	if !r.saw(it.Seq) {
		p.counters.Repeats++ // published again in a later epoch, but accepted in an earlier one
		return
	}
	switch it.Kind {
	case entryBody, entryAgain:
		at.Body, at.Again = it.Body, it.Kind == entryAgain
		if e.Traces != nil {
			at.Trace = e.Traces[uint(number-e.First)]
		}
		p.storing.due = p.log.index
		p.effect(effect{kind: effectApply, entry: at})
		p.counters.Applied++
	case entryJoined:
		r.InSync = true
		p.combining.announce = p.combining.elected
	case entryLeave:
		p.leave(at, r)
	case entryMark:
		if e.From == p.instance {
			p.marked(number)
		}
	case entryProbe, entryEvict, entryCompare, entryConnected, entryRaise:
		c, err := decodeControl(it.Body)
		if err != nil {
			p.counters.Malformed++ // alike on every instance
			return
		}
		if peer := p.membership.peers[c.Instance]; peer != nil && e.From == p.instance {
			peer.acting = false
			if it.Kind == entryProbe && !p.silence.wasSilent(now, peer.actedAt) {
				peer.roundTrip = min(now.Sub(peer.actedAt), maxProbeRoundTrip)
			}
		}
		switch it.Kind {
		case entryProbe:
			p.probed(now, e.From, c)
		case entryEvict:
			p.evict(at, c)
		case entryCompare:
			p.compare(now, e, number, r, c)
		case entryConnected:
			r.Connected = c.Connected
		case entryRaise:
			p.raise(at, c)
		}
	}
}

// cameBack notes that the oldest count own entries are in the log.
func (p *protocol) cameBack(now time.Time, count int) {
	if sentAt := p.outbox.headSent; !sentAt.IsZero() && !p.silence.wasSilent(now, sentAt) {
		p.silence.roundTrip = now.Sub(sentAt)
	}
	for range count {
		if p.outbox.waiting() == 0 {
			break // of another process by this name
		}
		o := p.outbox.accepted(now)
		if o.Kind != entryBody {
			continue
		}
		p.report.status.Latency = now.Sub(o.at)
		if p.observesOwn {
			p.effect(effect{kind: effectLatency, latency: now.Sub(o.at)})
		}
	}
	p.outbox.compact()
}
