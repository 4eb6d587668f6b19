package backplane

import (
	"errors"
	"slices"
	"time"
)

const (
	// headerRoom is what an envelope needs beside its items: names, numbers and their keys.
	headerRoom = 1024
	// maxUnicasts bounds the messages that wait to be sent to single instances. The protocol drops
	// more: the instance that needs one asks again.
	maxUnicasts = 64
	// maxSnapshots bounds the snapshots that wait to be sent, in parts.
	maxSnapshots = 8
	// maxSlowest bounds how long a single send, perhaps the last one of an outage, makes the bus count as slow.
	maxSlowest = 5 * time.Second
	// maxChunkFailures bounds how often a part of a snapshot is sent again.
	maxChunkFailures = 10
)

// outgoing chooses what is sent next. The bus has one message of this instance at a time; while it is
// under way, entries collect in the outbox.
type outgoing struct {
	open          bool      // in sync: the outbox may be published
	epoch         uint64    // of the batches
	version       uint      // of the batches: the newest that all members read
	request       *envelope // join request; nil: none is due
	requestSentAt time.Time // when the bus had it; zero: not yet
	requested     bool      // this instance got in sync by a snapshot that it had requested
	unicasts      []*unicast
	unicastLast   bool // the last message was one: batches and unicasts alternate
	lastBatchAt   time.Time
	closed        bool          // no more entries are accepted
	leaveBack     bool          // the own leave entry has come back
	takenAt       time.Time     // when the present message was taken to be sent
	slowest       time.Duration // of the last sends, the latest ones weighing most
	pace          pacer
}

// unicast is a message, or a snapshot in several messages, to one instance.
type unicast struct {
	to       string
	envelope envelope // without chunk
	snapshot []byte   // to be sent in parts; nil: the envelope is all
	epoch    uint64   // of the join request that the snapshot answers
	mark     uint64   // see chunk
	index    uint     // of the part that is sent next
	failures int      // of sending it
}

// message is one message on its way to the bus.
type message struct {
	envelope envelope
	to       string
	also     []string        // further receivers
	request  bool            // it is the join request
	unicast  *unicast        // what it is a part of; nil: a batch, or the join request
	count    int             // own items, for a batch
	gather   bool            // it goes into the combiner's queue
	gathered []gathered      // other instances' batches in it
	term     uint64          // of the combiner
	traces   map[uint]string // trace contexts of the own items
}

func (o *outgoing) setRequest(e *envelope) {
	o.open = false
	o.request, o.requestSentAt = e, time.Time{}
}

// joined ends the join request. A batch of the former epoch that is still under way counts no more.
func (o *outgoing) joined(epoch uint64, requested bool) {
	o.request, o.requested = nil, requested
	o.epoch = epoch
}

// unicast queues something for one instance.
func (p *protocol) unicast(u unicast) {
	if len(p.outgoing.unicasts) >= maxUnicasts {
		return
	}
	p.outgoing.unicasts = append(p.outgoing.unicasts, p.address(u))
	p.wakeups.sender = true
}

// address fills in the envelope's sender and receiver.
func (p *protocol) address(u unicast) *unicast {
	u.envelope.Version, u.envelope.Needs = oldestVersion, oldestVersion
	u.envelope.From, u.envelope.Epoch, u.envelope.To = p.instance, p.epochs.current, u.to
	return &u
}

// has reports whether a unicast of a kind waits to be sent, or is on its way: all of a snapshot for kindChunk.
func (o *outgoing) has(kind uint8) bool {
	return slices.ContainsFunc(o.unicasts, func(u *unicast) bool { return u.envelope.Kind == kind })
}

// dropSnapshots makes room for one more snapshot. The rest of an earlier one for the same requester is
// useless, and only some are kept for others.
func (o *outgoing) dropSnapshots(requester string) {
	others := 0
	o.unicasts = slices.DeleteFunc(o.unicasts, func(u *unicast) bool {
		if u.snapshot == nil {
			return false
		}
		others++
		return u.to == requester && len(u.envelope.Receivers) <= 1 || others >= maxSnapshots
	})
}

// nextMessage takes what is to be sent next, if there is something. A batch uses the room of items. The
// caller sends the message, gives the outcome to published, and asks for the next one then.
func (p *protocol) nextMessage(now time.Time, items []item) (message, bool) {
	o := &p.outgoing
	o.takenAt, p.credits.nextAt = now, time.Time{}
	if !o.unicastLast {
		if u := p.dueUnicast(now); u != nil {
			return p.nextUnicast(u), true
		}
	}
	if o.request != nil && o.requestSentAt.IsZero() {
		o.unicastLast = false
		return message{envelope: *o.request, request: true}, true
	}
	if m, ok := p.nextBatch(now, items); ok {
		o.unicastLast = false
		return m, true
	}
	if u := p.dueUnicast(now); u != nil {
		return p.nextUnicast(u), true
	}
	return message{}, false
}

// dueUnicast is the unicast that is sent next: a snapshot comes after all others, when there are credits for it.
func (p *protocol) dueUnicast(now time.Time) *unicast {
	all := p.outgoing.unicasts
	if i := slices.IndexFunc(all, func(u *unicast) bool { return u.snapshot == nil }); i >= 0 {
		return all[i]
	}
	if len(all) > 0 && p.credits.due(now, p.credits.snapshotAt) {
		return all[0]
	}
	return nil
}

func (p *protocol) nextBatch(now time.Time, items []item) (message, bool) {
	c := &p.combining
	switch {
	case !p.outgoing.open:
		return message{}, false
	case c.elected:
		return p.nextCombined(now, items)
	case c.call:
		c.call = false
		return message{gather: true, envelope: p.address(unicast{envelope: envelope{Kind: kindSign}}).envelope}, true
	}
	gather := c.alive && c.wanted
	if p.outbox.gathered && !gather {
		p.sendDirectly(now)
	}
	if !p.outbox.pending() {
		return message{}, false
	}
	at := p.credits.batchAt()
	switch {
	case gather:
		at = c.gatherAt
	case p.takesTurns():
		at = p.credits.topicAt.Add(p.untilTurn(now))
	}
	if !p.credits.due(now, at) {
		return message{}, false
	}
	e, ok := p.ownBatch(items, p.maxBody-2*headerRoom)
	return message{count: len(e.Items), gather: gather, envelope: e, traces: e.Traces}, ok
}

// ownBatch makes a batch of the next entries of the outbox, as many as fit room bytes.
func (p *protocol) ownBatch(items []item, room int) (e envelope, ok bool) {
	items, begin := p.outbox.batch(items, room)
	if len(items) == 0 {
		return envelope{}, false
	}
	var traces map[uint]string
	for i := range items {
		own := &p.outbox.entries[begin+i]
		if own.Time == 0 { // a later copy of the entry has the time of the first
			own.Time = p.stamp(own.at)
		}
		items[i].Time = own.Time
		if own.trace != "" && len(traces) < maxMap {
			if traces == nil {
				traces = make(map[uint]string)
			}
			traces[uint(i)] = own.trace
		}
	}
	p.counters.Resent += uint64(max(0, min(len(items), p.outbox.sent-begin)))
	keeping := p.ownKeeping()
	return envelope{
		Version: p.outgoing.version, Needs: oldestVersion, Kind: kindLog,
		From: p.instance, Epoch: p.outgoing.epoch,
		First: p.outbox.first + uint64(begin), Items: items,
		Cluster: p.log.cluster, Index: p.log.index, Hash: p.log.hash,
		Kept: keeping.Kept, Trouble: keeping.Trouble, Traces: traces,
	}, true
}

func (p *protocol) nextUnicast(u *unicast) message {
	p.outgoing.unicastLast = true
	if u.envelope.Kind == kindSign {
		u.envelope.Epoch = p.epochs.current
		// The bus may have been busy when it was taken before, while this instance was in sync.
		u.envelope.Cluster, u.envelope.Index, u.envelope.Hash = clusterID{}, 0, 0
		if p.join == nil {
			u.envelope.Cluster, u.envelope.Index, u.envelope.Hash = p.log.cluster, p.log.index, p.log.hash
		}
	}
	m := message{envelope: u.envelope, to: u.to, unicast: u}
	for _, r := range u.envelope.Receivers[min(1, len(u.envelope.Receivers)):] {
		m.also = append(m.also, r.Instance)
	}
	if u.snapshot != nil {
		size := p.maxBody - headerRoom - len(u.envelope.Receivers)*receiverRoom
		begin := int(u.index) * size
		m.envelope.Chunk = &chunk{
			Epoch: u.epoch,
			Index: u.index,
			Count: uint((len(u.snapshot) + size - 1) / size),
			Data:  u.snapshot[begin:min(begin+size, len(u.snapshot))],
			Mark:  u.mark,
		}
	}
	return m
}

// published takes the outcome of sending a message, whose body had size bytes. It returns how long to
// wait before the next message.
func (p *protocol) published(now time.Time, m *message, size int, err error) (pause time.Duration) {
	if errors.Is(err, ErrBusy) {
		p.counters.Busy++
		p.silence.refused(now)
		return p.pause(now, &p.outgoing.pace, err)
	}
	if err != nil {
		p.counters.Failures++
	} else {
		p.silence.taken(now, p.outgoing.pace.retry > 0)
	}
	if o := &p.outgoing; err == nil {
		o.slowest = max(min(now.Sub(o.takenAt), maxSlowest), o.slowest*7/8)
	}
	if m.gather {
		p.gatherSent(now, err)
	}
	switch o := &p.outgoing; {
	case m.unicast != nil:
		o.unicastDone(m, err)
		if err == nil && m.unicast.snapshot != nil {
			p.spendOnSnapshot(now, max(1, len(m.envelope.Receivers)))
		}
		if m.envelope.Kind == kindSign {
			p.signs.signSent(now, err)
		}
	case err != nil:
	case m.request:
		if o.request != nil && o.request.Epoch == m.envelope.Epoch {
			o.requestSentAt = now
		}
	default:
		if m.gather {
			p.outbox.gathered = m.count > 0 || p.outbox.gathered
		} else {
			p.spend(now, p.topicCost(), true)
		}
		if m.envelope.Kind == kindCombined {
			p.combining.combined(m)
		}
		p.counters.Batches++
		p.counters.BatchBytes += uint64(size)
		if m.count == 0 {
			break
		}
		o.lastBatchAt = now
		p.signs.batchSent(now)
		if m.envelope.Epoch == o.epoch {
			p.outbox.published(m.envelope.First, m.count, now)
		}
	}
	return p.pause(now, &p.outgoing.pace, err)
}

// unicastDone moves on to the next part. A part that failed is sent again, some times. Another unicast
// that failed is dropped: the instance that misses it asks again.
func (o *outgoing) unicastDone(m *message, err error) {
	u := m.unicast
	if err != nil && u.snapshot != nil && u.failures < maxChunkFailures {
		u.failures++
		return
	}
	u.index, u.failures = u.index+1, 0
	if err != nil || u.snapshot == nil || u.index == m.envelope.Chunk.Count {
		o.unicasts = slices.DeleteFunc(o.unicasts, func(other *unicast) bool { return other == u })
	}
}
