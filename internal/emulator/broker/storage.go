package broker

import (
	"container/heap"
	"slices"
	"sort"
)

// contents are the records of a source, each in the structures that its state needs.
type contents struct {
	lastSeq   int64
	log       sequenceLog
	backlog   backlog // unused where sessions are required
	deadlines deadlines
	locks     lockList // unused where sessions are required
	counts    [removed]int64
	bytes     int64
}

// sequenceLog holds the records of a source in the order of their sequence numbers. Removed records
// stay in the slice until they are half of it, so that appending and removing cost O(1).
type sequenceLog struct {
	items []*record
	live  int
}

func (l *sequenceLog) add(rec *record) {
	l.live++
	if n := len(l.items); n == 0 || l.items[n-1].seq < rec.seq {
		l.items = append(l.items, rec)
		return
	}
	i := l.search(rec.seq)
	l.items = slices.Insert(l.items, i, rec)
}

// removed notes that the state of a record has become removed.
func (l *sequenceLog) removed() {
	l.live--
	if l.live == 0 {
		clear(l.items)
		l.items = l.items[:0]
		if cap(l.items) > 4096 {
			l.items = nil
		}
		return
	}
	if len(l.items) > 64 && l.live < len(l.items)/2 {
		l.items = slices.DeleteFunc(l.items, func(rec *record) bool { return rec.state == removed })
		if cap(l.items) > 4*len(l.items) {
			l.items = slices.Clip(slices.Clone(l.items))
		}
	}
}

// search returns the index of the first record with at least the given sequence number.
func (l *sequenceLog) search(seq int64) int {
	return sort.Search(len(l.items), func(i int) bool { return l.items[i].seq >= seq })
}

func (l *sequenceLog) find(seq int64) *record {
	for i := l.search(seq); i < len(l.items) && l.items[i].seq == seq; i++ {
		if l.items[i].state != removed {
			return l.items[i]
		}
	}
	return nil
}

// backlog holds the records that wait for a receiver: fresh ones in a queue, returned ones in a
// heap by sequence number. Returned records are delivered before fresh ones with higher numbers.
// Records that are no longer ready are skipped.
type backlog struct {
	fresh    []*record
	head     int
	returned sequenceHeap
}

func (b *backlog) push(rec *record) {
	if n := len(b.fresh); n > b.head && b.fresh[n-1].seq > rec.seq {
		heap.Push(&b.returned, rec)
		return
	}
	b.fresh = append(b.fresh, rec)
}

func (b *backlog) requeue(rec *record) { heap.Push(&b.returned, rec) }

// peek returns the first record that is still ready without removing it; nil if there is none.
func (b *backlog) peek() *record {
	for b.head < len(b.fresh) && b.fresh[b.head].state != ready {
		b.dropFresh()
	}
	for len(b.returned) > 0 && b.returned[0].state != ready {
		heap.Pop(&b.returned)
	}
	if len(b.returned) > 0 && (b.head == len(b.fresh) || b.returned[0].seq < b.fresh[b.head].seq) {
		return b.returned[0]
	}
	if b.head < len(b.fresh) {
		return b.fresh[b.head]
	}
	return nil
}

// pop removes the record that peek returned.
func (b *backlog) pop() {
	if len(b.returned) > 0 && (b.head == len(b.fresh) || b.returned[0].seq < b.fresh[b.head].seq) {
		heap.Pop(&b.returned)
		return
	}
	b.dropFresh()
}

func (b *backlog) dropFresh() {
	b.fresh[b.head] = nil
	b.head++
	switch {
	case b.head == len(b.fresh):
		b.fresh, b.head = b.fresh[:0], 0
		if cap(b.fresh) > 4096 {
			b.fresh = nil
		}
	case b.head > 1024 && b.head > len(b.fresh)/2:
		n := copy(b.fresh, b.fresh[b.head:])
		clear(b.fresh[n:])
		b.fresh, b.head = b.fresh[:n], 0
	}
}

type sequenceHeap []*record

func (h sequenceHeap) Len() int           { return len(h) }
func (h sequenceHeap) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h sequenceHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sequenceHeap) Push(x any)        { *h = append(*h, x.(*record)) }
func (h *sequenceHeap) Pop() any {
	old := *h
	rec := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return rec
}

// deadlines is a heap of records by the time at which a scheduled record becomes due or another record expires. Records
// know their index, so that any of them can be removed.
type deadlines []*record

func (rec *record) deadline() int64 {
	if rec.state == scheduled {
		return rec.due
	}
	return rec.expires
}

func (h deadlines) Len() int { return len(h) }
func (h deadlines) Less(i, j int) bool {
	a, b := h[i].deadline(), h[j].deadline()
	return a < b || a == b && h[i].seq < h[j].seq
}
func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = int32(i), int32(j)
}
func (h *deadlines) Push(x any) {
	rec := x.(*record)
	rec.heapIndex = int32(len(*h))
	*h = append(*h, rec)
}
func (h *deadlines) Pop() any {
	old := *h
	rec := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	rec.heapIndex = -1
	return rec
}

func (h *deadlines) remove(rec *record) {
	if rec.heapIndex >= 0 {
		heap.Remove(h, int(rec.heapIndex))
	}
}

// lockList holds locked records in the order in which their locks end. All locks of a source have the same duration, so
// that add appends.
type lockList struct {
	first, last *record
}

func (l *lockList) add(rec *record) {
	rec.prev, rec.next = l.last, nil
	if l.last != nil {
		l.last.next = rec
	} else {
		l.first = rec
	}
	l.last = rec
}

// insert adds a record whose lock may end before those of others.
func (l *lockList) insert(rec *record) {
	after := l.last
	for after != nil && after.lockedUntil > rec.lockedUntil {
		after = after.prev
	}
	if after == l.last {
		l.add(rec)
		return
	}
	rec.prev, rec.next = after, l.first
	if after != nil {
		rec.next = after.next
		after.next = rec
	} else {
		l.first = rec
	}
	rec.next.prev = rec
}

func (l *lockList) remove(rec *record) {
	if rec.prev != nil {
		rec.prev.next = rec.next
	} else {
		l.first = rec.next
	}
	if rec.next != nil {
		rec.next.prev = rec.prev
	} else {
		l.last = rec.prev
	}
	rec.prev, rec.next = nil, nil
}
