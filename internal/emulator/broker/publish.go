package broker

import (
	"container/heap"
	"time"
)

// topicSeqOffset is where a topic's sequence numbers start, so that no test confuses them with a subscription's.
const topicSeqOffset = 1 << 20

// topicSettings is the state that only topics have. The mutex of the target guards it.
type topicSettings struct {
	ttl           time.Duration
	lastSeq       int64
	subscriptions []*subscription // in order of their creation
	scheduled     map[int64]*record
	deadlines     deadlines
	timer         *time.Timer
}

// storeInTopicLocked assigns sequence numbers to arrivals and copies them to the subscriptions.
func (t *Target) storeInTopicLocked(arrivals []arrival, now int64, numbers *[]int64) {
	active := make([]arrival, 0, len(arrivals))
	for _, a := range arrivals {
		seq := a.seq
		if seq == 0 {
			t.lastSeq++
			seq = t.lastSeq
		}
		if numbers != nil {
			*numbers = append(*numbers, seq)
		}
		if a.duplicate {
			continue
		}
		if due := instant(a.msg.ScheduledEnqueueTime); due > now {
			t.scheduleLocked(a, seq, due)
			continue
		}
		if a.enqueuedSeq == 0 {
			a.enqueuedSeq = seq
		}
		a.ttl, a.seq = t.ttl, 0 // its subscriptions have numbers of their own
		active = append(active, a)
	}
	t.broker.changes.numbered(t.scheduledID(), t.lastSeq)
	t.publishLocked(active, now)
}

// publishLocked copies messages to the subscriptions. Their bytes count once, until the last copy is removed.
func (t *Target) publishLocked(active []arrival, now int64) {
	if len(active) == 0 {
		return
	}
	shares := make([]refCount, len(active))
	for i := range active {
		t.size.used.Add(int64(active[i].msg.Size))
		active[i].shared = &shares[i]
		shares[i].n.Store(1) // for this function, so that no early removal releases the bytes
	}
	for _, sub := range t.subscriptions {
		sub.offer(active, now)
	}
	for i := range active {
		t.size.release(&record{msg: active[i].msg, shared: &shares[i]})
	}
}

// scheduleLocked stores a message in the topic until it is due.
func (t *Target) scheduleLocked(a arrival, seq, due int64) {
	rec := &record{msg: a.msg, seq: seq, enqueuedSeq: a.enqueuedSeq, state: scheduled, heapIndex: -1}
	rec.due = due
	t.size.used.Add(int64(a.msg.Size))
	t.addScheduledLocked(rec)
	t.broker.changes.putScheduled(t, rec)
	t.setTimerLocked()
}

// addScheduledLocked adds a record whose bytes are counted.
func (t *Target) addScheduledLocked(rec *record) {
	if t.scheduled == nil {
		t.scheduled = make(map[int64]*record)
	}
	t.scheduled[rec.seq] = rec
	t.size.records.Add(1)
	heap.Push(&t.deadlines, rec)
}

// setTimerLocked sets the timer to the scheduled message that is due next.
func (t *Target) setTimerLocked() {
	if len(t.deadlines) == 0 {
		return
	}
	wait := time.Duration(max(t.deadlines[0].due-t.broker.now(), 0))
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, t.onTimer)
		return
	}
	t.timer.Reset(wait)
}

// onTimer publishes the scheduled messages of a topic that are due.
func (t *Target) onTimer() {
	defer t.broker.begin().end()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return
	}
	now := t.broker.now()
	var active []arrival
	for len(t.deadlines) > 0 && t.deadlines[0].due <= now {
		rec := t.deadlines[0]
		t.removeScheduledLocked(rec)
		t.lastSeq++
		t.broker.changes.numbered(t.scheduledID(), t.lastSeq)
		active = append(active, arrival{msg: rec.msg, enqueuedSeq: t.lastSeq, ttl: t.ttl, due: rec.due})
	}
	t.publishLocked(active, now)
	t.setTimerLocked()
}

func (t *Target) hasScheduled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.scheduled) > 0
}

// evaluationsLocked returns how many filters are evaluated for one message.
func (t *Target) evaluationsLocked() int {
	n := 0
	for _, sub := range t.subscriptions {
		n += int(sub.ruleCount.Load())
	}
	return n
}
