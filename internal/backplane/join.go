package backplane

import (
	"cmp"
	"fmt"
	"time"
)

// An attempt to join ends when it has made no progress for snapshotTimeout, or when another instance begins a log
// behind the request, which then nobody answers. The timeout doubles after every fourth attempt at one log while
// another instance is heard: up to maxSnapshotTimeout if that one could answer, and up to maxJoinerTimeout if it is out
// of sync as well. That one is to bootstrap, and waits as long as it has not heard of late that this instance is out of
// sync, too (see joinerLasts).
const (
	snapshotTimeout    = 2 * time.Second
	maxSnapshotTimeout = 32 * time.Second
	maxJoinerTimeout   = 5 * time.Second
)

// joinAttempt is one attempt to get in sync. The join request goes out and comes back, which fixes its
// log index. From there on the attempt buffers the log, until the snapshot of the state at that index
// is complete.
type joinAttempt struct {
	reason      string
	kind        uint8 // of the request: entryJoinRequest or entryBootstrap
	attempt     uint64
	before      uint64 // attempts at an earlier log, which say nothing of how long the present one takes to answer
	requestedAt time.Time
	backAt      time.Time     // when the request came back; zero: not yet
	progressAt  time.Time     // when the request or a part of the snapshot last came
	loggedAt    time.Time     // when the program's log last mentioned the joining
	firstBackAt time.Time     // when the request of the first attempt came back: the log is alive since
	roundTrip   time.Duration // of the last requests: an answer takes about as long
	buffered    []*envelope
	bufferBytes int
	chunks      chunkAssembly
}

func (p *protocol) whyOutOfSync(now time.Time) string {
	j := p.join
	if err := p.loading.err; err != nil {
		return "the store can't be read: " + err.Error()
	}
	if j.firstBackAt.IsZero() || j.backAt.IsZero() && now.Sub(j.requestedAt) > snapshotTimeout {
		return fmt.Sprintf("joining the cluster (%s): waiting for the bus", j.reason)
	}
	return fmt.Sprintf("joining the cluster (%s): requested a snapshot %d times%s",
		j.reason, j.attempt, p.bootstrapping.whyNot())
}

// requestJoin publishes a join request. It opens an epoch for it, so that an answer names the request
// it answers.
func (p *protocol) requestJoin(now time.Time, kind uint8, attempt uint64, reason string) {
	j := &joinAttempt{reason: reason, kind: kind, attempt: attempt, requestedAt: now, loggedAt: now}
	if last := p.join; last != nil {
		j.reason, j.loggedAt = last.reason, last.loggedAt
		j.firstBackAt, j.roundTrip, j.before = last.firstBackAt, last.roundTrip, last.before
	} else {
		p.bootstrapping = bootstrapping{}
	}
	p.join = j
	if kind == entryJoinRequest && p.loading.used {
		// Nobody has followed the log with what was loaded. A cluster that lives has loaded as much, and goes
		// before it.
		p.loading.used, p.log = false, nil
	}
	p.epochs.current = max(p.epochs.current+1, uint64(max(p.wall(now).UnixMilli(), 1)))
	if p.epochs.start == 0 {
		p.epochs.start = p.epochs.current
	}
	request := control{
		Start: p.epochs.start, Base: p.epochs.base, BaseNext: p.epochs.baseNext, Attempt: attempt, Reads: newestVersion,
		Rules: p.knows, Stores: p.recording, Shares: p.multicasts, Loaded: p.loading.used,
	}
	if p.log != nil {
		request.Cluster, request.Parents, request.Index = p.log.cluster, p.log.parents, p.log.index
		request.StateRules = p.log.rules
	}
	p.outgoing.setRequest(&envelope{
		Version: oldestVersion, Needs: requestNeeds, Kind: kindLog,
		From: p.instance, Epoch: p.epochs.current, First: 1,
		Items: []item{{Kind: kind, Time: p.stamp(now), Body: request.encode()}},
	})
	p.wakeups.sender = true
}

// leaveSync stops following the log and joins again. State and log state stay, in case that no other
// instance has any.
func (p *protocol) leaveSync(now time.Time, reason string) {
	p.consistency.rejoinReason = ""
	if p.join != nil {
		// The buffered log has a gap. What follows a new request has none. An answer may have been lost as well, so
		// that nobody counts as silent until that request is back, nor as out of sync.
		p.requestJoin(now, entryJoinRequest, p.join.attempt+1, reason)
		p.join.firstBackAt = time.Time{}
		p.loading, p.bootstrapping = loading{}, bootstrapping{}
		return
	}
	p.logWarn("out of sync", "reason", reason)
	p.epochs.base, p.epochs.baseNext = p.epochs.current, p.outbox.next()
	p.requestJoin(now, entryJoinRequest, 1, reason)
}

// buffer takes an envelope of the log while out of sync.
func (p *protocol) buffer(now time.Time, e *envelope, size int) {
	j := p.join
	first := e.Items[0].Kind
	request := e.First == 1 && (first == entryJoinRequest || first == entryBootstrap)
	switch {
	case e.From == p.instance && e.Epoch == p.epochs.current && request:
		if j.backAt.IsZero() {
			p.requestBack(now, e)
		}
		return
	case e.From == p.instance:
	case e.Index > 0:
		p.donorHeard(now, e)
		p.answerProbe(now, e)
	case request:
		p.otherRequest(now, e)
	}
	if j.backAt.IsZero() {
		return
	}
	if j.bufferBytes+size > p.MaxBuffered {
		p.requestJoin(now, entryJoinRequest, j.attempt+1, j.reason)
		return
	}
	j.buffered = append(j.buffered, e)
	j.bufferBytes += size
}

// requestBack is called at the log index of the own join request.
func (p *protocol) requestBack(now time.Time, e *envelope) {
	j := p.join
	p.clock.own(j.requestedAt)
	p.clock.sent(p.outgoing.requestSentAt)
	j.backAt, j.progressAt = now, now
	p.bootstrapping.backs++
	j.roundTrip /= 2
	// Without the time of sending, it was faster than Publish.
	if sentAt := p.outgoing.requestSentAt; !sentAt.IsZero() && !p.silence.wasSilent(now, sentAt) {
		j.roundTrip = max(j.roundTrip, min(now.Sub(sentAt), maxSnapshotTimeout))
	}
	if j.firstBackAt.IsZero() {
		j.firstBackAt = now
	}
	if j.kind == entryBootstrap && p.bootstrapping.others.heardAt().Before(j.requestedAt) {
		p.bootstrap(now, e)
	}
}

// joinTick makes another attempt when the present one takes too long.
func (p *protocol) joinTick(now time.Time) {
	j := p.join
	if now.Sub(j.loggedAt) >= logEvery {
		j.loggedAt = now
		p.logWarn("not in sync yet", "why", p.whyOutOfSync(now))
	}
	if j.backAt.IsZero() {
		// A bus that takes a request delivers it, or says that it has lost messages. So a request that stays away is
		// mostly on a slow bus. To ask every few seconds would give each request up before it comes, for ever.
		sentAt := p.outgoing.requestSentAt
		if sentAt.IsZero() || now.Sub(sentAt) < p.ResendAfter<<min(j.attempt-1, 4) {
			return
		}
		if j.attempt > 1 {
			p.effect(effect{kind: effectReceiveAgain}) // the bus may have gone silent
		}
		p.requestJoin(now, j.kind, j.attempt+1, j.reason)
		return
	}
	p.bootstrapTick(now)
	if p.join == j && now.Sub(j.progressAt) >= p.attemptTimeout(now) {
		p.requestJoin(now, entryJoinRequest, j.attempt+1, j.reason)
	}
}

func (p *protocol) attemptTimeout(now time.Time) time.Duration {
	j, timeout := p.join, time.Duration(snapshotTimeout)
	doubled := snapshotTimeout << min((j.attempt-j.before)/4, 10)
	switch {
	case p.heardOfLate(now, p.bootstrapping.others.donorAt()):
		timeout = min(doubled, maxSnapshotTimeout)
	case p.heardOfLate(now, p.bootstrapping.others.betterAt()):
		timeout = min(doubled, maxJoinerTimeout)
	}
	return max(timeout, 2*j.roundTrip)
}

// enterSync resumes following the log behind the own join request, with what was buffered since. own is this
// instance's record.
func (p *protocol) enterSync(now time.Time, own *record, buffered []*envelope, requested bool) {
	p.join = nil
	p.loading = loading{}
	p.wakeups.evictor = true // evictions wait until the instance is in sync
	p.membership.reset(now)
	p.consistency.reset()
	p.donating = donating{}
	p.counters.Joins++
	p.outgoing.joined(p.epochs.current, requested)
	for _, o := range p.outbox.renumber(own.hasSeen) {
		p.effect(effect{kind: effectCommitted, entry: Entry{
			Instance: p.instance, Epoch: p.epochs.start, Number: o.Seq, Index: p.log.index,
			Time: cmp.Or(o.Time, p.stamp(o.at)), Body: o.Body,
		}})
	}
	for _, e := range buffered {
		p.follow(now, e)
	}
	if reason := p.consistency.rejoinReason; reason != "" {
		p.leaveSync(now, reason)
		return
	}
	p.logInfo("in sync", "instance", p.instance, "members", len(p.log.members()))
	p.outgoing.version = p.log.version()
	p.effect(effect{kind: effectJoined})
}

// joined answers effectJoined with what Local.Joined returned. From here on the outbox is published.
func (p *protocol) joined(now time.Time, bodies [][]byte) {
	first := make([][]byte, 0, len(bodies))
	for _, body := range bodies {
		if len(body) > p.MaxEntry {
			p.logError("entry left out on joining", "bytes", len(body), "err", ErrTooLarge)
			continue
		}
		first = append(first, body)
	}
	p.outbox.prepend(entryBody, first, now)
	if p.outgoing.requested {
		p.outbox.prepend(entryJoined, [][]byte{nil}, now)
	}
	p.outgoing.open = true
	p.outgoing.lastBatchAt = now
	if p.outgoing.closed {
		p.outbox.append(entryLeave, nil, now)
	}
	p.wakeups.sender = true
}
