package backplane

import (
	"slices"
	"time"
)

const (
	// signLateness is how much later than due a sign of life may come before its sender is probed.
	signLateness = 650 * time.Millisecond
	// probeLateness is how long an instance that hears nothing waits for the probe that it then
	// appends, before it tells its clients that it is cut off.
	probeLateness = 750 * time.Millisecond
	// signSendTime is how long the sending of a sign of life may take before the instance tells its
	// clients that it is cut off.
	signSendTime = time.Second
	// joinerSilence is how long an instance that joins may publish nothing before it is probed.
	joinerSilence = 30 * time.Second
	// quietAfter is how long no client is connected before the instance says so.
	quietAfter = time.Minute
)

// signs are the signs of life that the instances give each other. The members form a ring in the order
// of their ranks. An instance that has published nothing for a while sends a sign of life to the next
// instance in sync, which watches it. So everybody sends one and receives one, whatever the number of
// instances, and who receives none is cut off, or misses one that is dead.
//
// While a client is connected to any instance, signs are frequent; otherwise they are not. An instance
// whose first client connects says so in the log.
type signs struct {
	frequent      bool      // a client is connected to some instance in the cluster
	frequentSince time.Time // since when; zero: it is not
	connectedAt   time.Time // when a client was last connected to this instance; zero: never
	toldAt        time.Time // when this instance last appended whether a client is connected to it

	sentAt     time.Time // when the bus last took a sign of this instance
	queued     bool      // a sign waits to be sent, or is on its way
	dueSince   time.Time // since when a sign could not be sent; zero: none is due
	receivedAt time.Time // when anything was last received
}

// setConnected says whether a client is connected to this instance.
func (p *protocol) setConnected(now time.Time, connected bool) {
	if connected {
		p.signs.connectedAt = now
	}
}

// signAfter is how long an instance publishes nothing before it gives a sign of life.
func (p *protocol) signAfter() time.Duration {
	if p.signs.frequent {
		return p.SignAfter
	}
	return p.HeartbeatAfter
}

// silentAfter is how long an instance in sync that gives its signs of life here may be silent.
func (p *protocol) silentAfter() time.Duration {
	if p.signs.frequent {
		return p.SignAfter + signLateness
	}
	return p.HeartbeatAfter * 5 / 2
}

// signTick gives signs of life, and tells the cluster when the first client connects to this instance, or the
// last has been gone for a while.
func (p *protocol) signTick(now time.Time, members []*record) {
	s := &p.signs
	frequent := p.log.connected()
	if frequent != s.frequent {
		if s.frequent, s.frequentSince = frequent, now; !frequent {
			s.frequentSince = time.Time{}
		}
	}
	connected := !s.connectedAt.IsZero() && now.Sub(s.connectedAt) < quietAfter
	own := p.log.records[p.instance]
	if own.Connected != connected && now.Sub(s.toldAt) >= p.AnswerTimeout {
		s.toldAt = now
		p.appendControl(now, entryConnected, &control{Connected: connected})
	}
	if len(members) == 1 && !frequent || s.queued {
		return
	}
	last := p.outgoing.lastBatchAt
	if s.sentAt.After(last) {
		last = s.sentAt
	}
	if now.Sub(last) >= p.signAfter()-tickEvery/2-p.earlier(members) {
		p.sendSign(now, watcher(members, p.instance))
	}
}

// earlier is by how much this instance gives a sign of life before it is due. Instances that wait for their turn to
// send may have sent last at one moment, when the combiner failed. They must not all give signs at one moment, too.
func (p *protocol) earlier(members []*record) time.Duration {
	if !p.outbox.pending() || !p.takesTurns() {
		return 0
	}
	own := slices.IndexFunc(members, func(r *record) bool { return r.Instance == p.instance })
	return p.signAfter() / 2 * time.Duration(own) / time.Duration(len(members))
}

// sendSign queues a sign of life, ahead of snapshots.
func (p *protocol) sendSign(now time.Time, to string) {
	s := &p.signs
	s.queued = true
	if s.dueSince.IsZero() {
		s.dueSince = now
	}
	sign := p.address(unicast{to: to, envelope: envelope{Kind: kindSign}})
	p.outgoing.unicasts = slices.Insert(p.outgoing.unicasts, 0, sign)
	p.wakeups.sender = true
}

// signSent takes the outcome of sending a sign of life.
func (s *signs) signSent(now time.Time, err error) {
	s.queued = false
	if err == nil {
		s.sentAt, s.dueSince = now, time.Time{}
	}
}

// batchSent notes that the bus has taken a batch, which is a sign of life as well: what was due is no
// longer, or waits from now on.
func (s *signs) batchSent(now time.Time) {
	switch {
	case s.dueSince.IsZero():
	case s.queued:
		s.dueSince = now
	default:
		s.dueSince = time.Time{}
	}
}

// takeSign takes another instance's sign of life, or this one's own while it is alone. The sign says how
// far its sender has followed the log.
func (p *protocol) takeSign(now time.Time, e *envelope) {
	p.counters.Received++
	switch {
	case e.From == p.instance:
		return
	case p.join != nil:
		if e.Index > 0 {
			p.donorHeard(now, e)
		}
		return
	}
	r := p.log.records[e.From]
	if e.Index > 0 {
		p.checkSender(now, e, r)
	}
	if r != nil && !r.Gone && r.Epoch == e.Epoch {
		p.membership.hear(now, e.From)
	} else {
		p.unexpected(now, e, r)
	}
	if reason := p.consistency.rejoinReason; reason != "" {
		p.leaveSync(now, reason)
	}
}

// answerProbe gives a sign of life to all, if an envelope of the log that this instance buffers while it
// joins probes it. It can't append an entry yet.
func (p *protocol) answerProbe(now time.Time, e *envelope) {
	for i := range e.Items {
		if e.Items[i].Kind != entryProbe || p.signs.queued {
			continue
		}
		if c, err := decodeControl(e.Items[i].Body); err == nil && c.Instance == p.instance {
			p.sendSign(now, "")
		}
	}
}

// watcher is the member that an instance gives its signs of life to: the next one in sync by rank, or
// itself if there is no other.
func watcher(members []*record, instance string) string {
	own := slices.IndexFunc(members, func(r *record) bool { return r.Instance == instance })
	for i := range members {
		if r := members[(own+1+i)%len(members)]; r.InSync && r.Instance != instance {
			return r.Instance
		}
	}
	return instance
}

// watchedBy are the members whose watcher an instance is.
func watchedBy(members []*record, instance string) (watched []*record) {
	own := slices.IndexFunc(members, func(r *record) bool { return r.Instance == instance })
	if own < 0 || !members[own].InSync {
		return nil
	}
	for i := range members {
		r := members[(own-1-i+2*len(members))%len(members)]
		if r.Instance == instance {
			break
		}
		if watched = append(watched, r); r.InSync {
			break
		}
	}
	return watched
}

// deaf reports whether nothing has come for so long that this instance is cut off, and for how long
// something should have come.
func (p *protocol) deaf(now time.Time) time.Duration {
	s := &p.signs
	if !s.frequent || p.join != nil {
		return 0
	}
	since := s.receivedAt
	for _, t := range []time.Time{s.frequentSince, p.membership.inSyncAt} {
		if t.After(since) {
			since = t
		}
	}
	return now.Sub(since) - p.silentAfter()
}

// signsLate reports whether the signs of life show that this instance is cut off.
func (p *protocol) signsLate(now time.Time) bool {
	due := p.signs.dueSince
	return p.join == nil && !due.IsZero() && now.Sub(due) >= signSendTime || p.deaf(now) >= probeLateness
}
