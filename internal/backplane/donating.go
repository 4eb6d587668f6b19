package backplane

import (
	"slices"
	"time"
)

const (
	// maxReceivers bounds the instances that share a snapshot, and receiverRoom what each needs in a part of it.
	maxReceivers = 16
	receiverRoom = MaxInstanceName + 16
	// tellWaitingEvery is how often those that wait for a snapshot are told so, for maxSnapshotTimeout at most. They
	// would request it from another instance after snapshotTimeout.
	tellWaitingEvery = 500 * time.Millisecond
)

// donating gathers the instances that request a snapshot while this one sends one to another. They share the next one,
// which is taken at an entry that this instance appends for it. All of them find that entry in the log that they have
// buffered, and follow the log from there.
type donating struct {
	waiting []waiter // oldest first
	marking bool     // the entry is on its way
	toldAt  time.Time
}

type waiter struct {
	receiver
	since time.Time
}

// answer answers a join request: at once, unless a snapshot of this instance is on its way. Then the requester waits
// for the next one, if it can share that.
func (p *protocol) answer(now time.Time, requester receiver, shares bool) {
	d := &p.donating
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiter) bool { return w.Instance == requester.Instance })
	p.outgoing.dropSnapshots(requester.Instance)
	if !shares || !p.multicasts || len(d.waiting) == 0 && !d.marking && !p.outgoing.has(kindChunk) {
		p.donate(requester.Instance, requester.Epoch)
		return
	}
	d.waiting = append(d.waiting, waiter{requester, now})
	p.tellWaiting(now)
}

// donatingTick begins the next shared snapshot.
func (p *protocol) donatingTick(now time.Time) {
	d := &p.donating
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiter) bool {
		r := p.log.records[w.Instance]
		return r == nil || r.Gone || r.InSync || r.Epoch != w.Epoch || now.Sub(w.since) >= maxSnapshotTimeout
	})
	if len(d.waiting) == 0 {
		return
	}
	if !d.marking && !p.outgoing.has(kindChunk) {
		d.marking = true
		p.appendControl(now, entryMark, nil)
	}
	if now.Sub(d.toldAt) >= tellWaitingEvery {
		p.tellWaiting(now)
	}
}

// tellWaiting tells those that wait that they will be answered. On a slow bus the last word is still to be sent: more
// would only delay the snapshots behind them.
func (p *protocol) tellWaiting(now time.Time) {
	d := &p.donating
	d.toldAt = now
	if p.outgoing.has(kindWait) {
		return
	}
	p.unicast(unicast{to: d.waiting[0].Instance, envelope: envelope{Kind: kindWait, Receivers: d.receivers()}})
}

// receivers are those that the next snapshot is for.
func (d *donating) receivers() []receiver {
	var all []receiver
	for _, w := range d.waiting[:min(len(d.waiting), maxReceivers)] {
		all = append(all, w.receiver)
	}
	return all
}

// marked is called at the log index of the own entry with a number, which was appended to take a snapshot there.
func (p *protocol) marked(number uint64) {
	d := &p.donating
	d.marking = false
	receivers := d.receivers()
	if len(receivers) == 0 || p.membership.gaps() || p.consistency.rejoinReason != "" {
		return
	}
	d.waiting = d.waiting[len(receivers):]
	p.effect(effect{kind: effectTakeSnapshot, snapshot: &snapshotRequest{
		receivers: receivers, mark: number, log: p.log.snapshot(),
	}})
}

// takeWait takes the word of a donor that a snapshot will come.
func (p *protocol) takeWait(now time.Time, e *envelope) {
	epoch, ok := e.answers(p.instance)
	if j := p.join; j != nil && ok && epoch == p.epochs.current && !j.backAt.IsZero() {
		p.donorHeard(now, e)
		j.progressAt = now
	}
}

// logBehind returns what of a buffered log comes behind the entry of a snapshot's donor at which that was taken. It
// reports false if the entry is not there. Without a number of an entry that is all.
func logBehind(buffered []*envelope, donor *envelope, number uint64) ([]*envelope, bool) {
	if number == 0 {
		return buffered, true
	}
	for i, e := range buffered {
		last := e.First + uint64(len(e.Items)) - 1
		if e.From != donor.From || e.Epoch != donor.Epoch || number < e.First || number > last {
			continue
		}
		behind := slices.Clone(buffered[i:])
		if number == last {
			return behind[1:], true
		}
		rest := *e
		rest.First, rest.Items, rest.Traces = number+1, e.Items[number+1-e.First:], nil
		behind[0] = &rest
		return behind, true
	}
	return nil, false
}
