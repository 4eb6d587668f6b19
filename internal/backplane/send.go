package backplane

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// The pause between two sends after the bus was busy: it doubles with each refusal and shrinks by a quarter with
	// each success. Service Bus asks for two seconds; meanwhile entries gather in larger batches.
	leastInterval = 50 * time.Millisecond
	mostInterval  = 2 * time.Second
	// The pause before the bus is tried again after another failure, doubling.
	leastRetry = 100 * time.Millisecond
	mostRetry  = 5 * time.Second
	// tellEvery is how often the log of the program is told of what lasts.
	tellEvery = 30 * time.Second

	// sendBurst is how many operations may follow each other at once before Options.SendRate matters: what people say one after the other
	// never waits.
	sendBurst = 8

	// maxDirect bounds what waits to be sent to single instances. What doesn't fit is dropped: whoever needs it asks again.
	maxDirect = 64
)

// dispatch is something for the sender to do beside the batches: part of a snapshot, or a word to one instance.
type dispatch struct {
	to       string
	envelope envelope // addressed, without chunk
	blob     []byte   // to send in chunks for epoch
	epoch    uint64
	index    uint
}

// parcel is one operation on the bus.
type parcel struct {
	envelope envelope
	to       string
	hello    bool
	direct   *dispatch // nil: a batch or a hello
	count    int       // of items, for a batch
}

// send owns the one operation that is under way. While it is, entries gather in the outbox.
func (n *Node) send(ctx context.Context) {
	var (
		pace   pacer
		items  []item
		direct bool // the last was one: batches and dispatches alternate
	)
	for {
		p, ok := n.nextParcel(items[:0], direct)
		if !ok {
			select {
			case <-n.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		direct = p.direct != nil
		if p.count > 0 {
			items = p.envelope.Items
		}
		err := n.perform(ctx, &p)
		if ctx.Err() != nil {
			return
		}
		if !pause(ctx, pace.after(err, n)) {
			return
		}
	}
}

// pacer decides how long to wait after an operation.
type pacer struct {
	interval time.Duration // after busy
	retry    time.Duration // after another failure
	allowed  float64       // operations that may go out without a pause, as of at
	at       time.Time     // zero: none has gone out yet
	told     time.Time     // when the log was last told of a failure
}

func (p *pacer) after(err error, n *Node) time.Duration {
	switch {
	case errors.Is(err, ErrBusy):
		p.interval = min(max(2*p.interval, leastInterval), mostInterval)
		return p.interval
	case err != nil:
		if now := time.Now(); p.retry == 0 || now.Sub(p.told) >= tellEvery {
			p.told = now
			n.options.Logger.Warn("bus operation failed", "err", err)
		}
		p.retry = min(max(2*p.retry, leastRetry), mostRetry)
		return p.retry
	}
	if p.retry > 0 {
		n.options.Logger.Info("bus works again")
	}
	p.retry = 0
	if p.interval = p.interval * 3 / 4; p.interval < leastInterval/8 {
		p.interval = 0
	}
	return max(p.interval, p.share(time.Now(), n.sendRate()))
}

// share takes one operation from what is allowed at a rate, in operations a second, and returns how long the next has to wait.
func (p *pacer) share(now time.Time, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	p.allowed = min(p.allowed+now.Sub(p.at).Seconds()*rate, sendBurst)
	p.at = now
	if p.allowed--; p.allowed >= 0 {
		return 0
	}
	return time.Duration(-p.allowed / rate * float64(time.Second))
}

// sendRate is this instance's part of Options.SendRate; 0: no limit.
func (n *Node) sendRate() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.options.SendRate / float64(max(len(n.status.Members), 1))
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// nextParcel takes what is to be sent next. The items of a batch are appended to items.
func (n *Node) nextParcel(items []item, wasDirect bool) (parcel, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.direct) > 0 && !wasDirect {
		return n.directLocked(), true
	}
	if n.hello != nil && n.helloAt.IsZero() {
		return parcel{envelope: *n.hello, hello: true}, true
	}
	if n.sealable {
		if items, begin := n.out.batch(items, n.maxBody-headerRoom); len(items) > 0 {
			n.counters.Resent += uint64(max(0, min(len(items), n.out.sent-begin)))
			p := parcel{envelope: n.header, count: len(items)}
			p.envelope.Kind, p.envelope.From = kindLog, n.instance
			p.envelope.First, p.envelope.Items = n.out.first+uint64(begin), items
			return p, true
		}
	}
	if len(n.direct) > 0 {
		return n.directLocked(), true
	}
	return parcel{}, false
}

func (n *Node) directLocked() parcel {
	d := n.direct[0]
	p := parcel{envelope: d.envelope, to: d.to, direct: d}
	if d.blob != nil {
		size := n.maxBody - headerRoom
		begin := int(d.index) * size
		p.envelope.Chunk = &chunk{
			Epoch: d.epoch,
			Index: d.index,
			Count: uint((len(d.blob) + size - 1) / size),
			Data:  d.blob[begin:min(begin+size, len(d.blob))],
		}
	}
	return p
}

// perform does one operation and notes its outcome.
func (n *Node) perform(ctx context.Context, p *parcel) error {
	ctx, cancel := context.WithTimeout(ctx, n.options.PublishTimeout)
	defer cancel()
	body, err := p.envelope.encode()
	size := len(body)
	if err == nil {
		err = n.bus.Publish(ctx, Message{To: p.to, Body: body})
	}
	n.performed(p, size, err)
	if err == nil && p.count > 0 && n.options.Observer.Batch != nil {
		n.options.Observer.Batch(p.count, size)
	}
	return err
}

func (n *Node) performed(p *parcel, size int, err error) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case errors.Is(err, ErrBusy):
		n.counters.Busy++
		return
	case err != nil:
		n.counters.Failures++
	}
	switch {
	case p.direct != nil:
		// Dropped on failure, too: whoever misses it asks again.
		p.direct.index++
		if err != nil || p.direct.blob == nil || p.direct.index == p.envelope.Chunk.Count {
			n.direct = slices.DeleteFunc(n.direct, func(d *dispatch) bool { return d == p.direct })
		}
	case err != nil:
	case p.hello:
		if n.hello != nil && n.hello.Epoch == p.envelope.Epoch {
			n.helloAt = now
		}
	default:
		n.counters.Batches++
		n.counters.BatchBytes += uint64(size)
		n.lastSent = now
		if p.envelope.Epoch == n.header.Epoch {
			n.out.published(p.envelope.First, p.count, now)
		}
	}
}

// dispatchTo queues something for one instance.
func (n *Node) dispatchTo(d dispatch) {
	d.envelope.Version, d.envelope.Needs = oldestVersion, oldestVersion
	d.envelope.From, d.envelope.Epoch, d.envelope.To = n.instance, n.epoch, d.to
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.direct) < maxDirect {
		n.direct = append(n.direct, &d)
		n.wakeSender()
	}
}
