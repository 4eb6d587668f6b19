package backplane

import (
	"slices"
	"time"
)

const (
	// itemRoom bounds what an item needs in an envelope beside its body.
	itemRoom = 24
	// traceRoom bounds what a trace context needs besides its text.
	traceRoom = 8
	// entryRoom is about the memory that an entry in the outbox takes beside its body.
	entryRoom = 120
	// compactAfter is how many entries are dropped before their room is used again.
	compactAfter = 2048
)

// ownEntry is an own entry on its way to the log.
type ownEntry struct {
	item
	at       time.Time // of Append
	notified bool      // Local.Provisional was called
	trace    string    // of AppendFor; "": none
	account  string    // of AppendFor; "": none
	begins   uint64    // see fairness; 0: never set
}

// outbox holds an instance's own entries, oldest first:
//
//	entries:  accepted, kept a while | published, not yet back | not yet published, in a batch | no place yet
//	          0                      head                      sent                        placed        len
//
// Entry i has number first+i in the current epoch, from when it has its place. Entries without one may be moved, see
// fairness. Those that the log had accepted before this epoch are in earlier.
type outbox struct {
	entries []ownEntry
	earlier []ownEntry // accepted, kept a while; oldest first
	first   uint64
	seq     uint64 // of the entry appended last
	head    int
	sent    int
	placed  int // those before this index have been in a batch
	offset  int // entries before this index have been dropped; the slice is compacted now and then

	maxKept      int // Limits.MaxKept
	keptBytes    int // memory of earlier, and of the entries before head
	waitingCount int // state machine's entries from head on
	waitingBytes int
	shares       map[string]share // the same by account; nil: not counted

	unplaced int    // room in a batch that the entries without a place need
	only     string // the account of the first of them
	mixed    bool   // some may be of another account
	fair     fairness

	headSent    time.Time     // when the oldest not yet back was last published; zero: never
	resendAfter time.Duration // how long after headSent it is published again; 0: not set
	resendHead  bool          // publish the batch at head once more, although its fate is unknown
	gathered    bool          // the queue has some of those not yet back: they are not to be overtaken
	rewound     bool          // all were published again because of a gap, and nothing has come back since
}

func newOutbox(maxKept int) outbox { return outbox{first: 2, maxKept: maxKept} }

// waiting is the number of entries not yet back.
func (o *outbox) waiting() int { return len(o.entries) - o.head }

func (o *outbox) append(kind uint8, body []byte, at time.Time) {
	o.appendEntry(ownEntry{item: item{Kind: kind, Body: body}, at: at})
}

func (o *outbox) appendEntry(e ownEntry) {
	if o.placed == len(o.entries) {
		o.only, o.mixed = e.account, false
	} else if e.account != o.only {
		o.mixed = true
	}
	o.unplaced += e.room()
	o.add(e)
}

func (o *outbox) add(e ownEntry) {
	o.seq++
	e.Seq = o.seq
	if len(o.entries) == cap(o.entries) {
		o.entries = slices.Grow(o.entries, len(o.entries)+1) // append adds a quarter, and so copies more often
	}
	o.entries = append(o.entries, e)
	o.count(&o.entries[len(o.entries)-1], 1)
}

func (o *outbox) count(e *ownEntry, sign int) {
	if forState(e.Kind) {
		o.waitingCount += sign
		o.waitingBytes += sign * len(e.Body)
		o.countShare(e, sign)
	}
}

// appendedAt is when the youngest of an own batch's entries was appended; zero if they are not kept any more.
func (o *outbox) appendedAt(e *envelope) (last time.Time) {
	first := int(e.First - o.first)
	end := first + len(e.Items)
	if first < o.offset || end > len(o.entries) || o.entries[end-1].Seq != e.Items[len(e.Items)-1].Seq {
		return time.Time{}
	}
	for i := first; i < end; i++ {
		last = later(last, o.entries[i].at)
	}
	return last
}

// next is the number of the oldest entry that is not yet back.
func (o *outbox) next() uint64 { return o.first + uint64(o.head) }

// accepted notes that the oldest entry is back, and returns it.
func (o *outbox) accepted(now time.Time) *ownEntry {
	e := &o.entries[o.head]
	o.count(e, -1)
	e.account = "" // the entry is kept for long
	o.keptBytes += len(e.Body) + entryRoom
	o.head++
	o.sent = max(o.sent, o.head)
	o.place(o.head)
	o.rewound = false
	o.resendAfter = 0
	if o.headSent = now; o.sent == o.head {
		o.headSent, o.gathered = time.Time{}, false
	}
	for o.keptBytes > o.maxKept && (len(o.earlier) > 0 || o.offset < o.head-1) {
		o.drop()
	}
	return e
}

// drop drops the oldest of the entries that are accepted.
func (o *outbox) drop() {
	var oldest *ownEntry
	if len(o.earlier) > 0 {
		oldest, o.earlier = &o.earlier[0], o.earlier[1:]
	} else {
		oldest = &o.entries[o.offset]
		o.offset++
	}
	o.keptBytes -= len(oldest.Body) + entryRoom
	*oldest = ownEntry{}
}

// compact frees the room of dropped entries. Pointers that accepted returned are invalid afterwards.
func (o *outbox) compact() {
	if o.offset < compactAfter || o.offset < len(o.entries)/2 {
		return
	}
	n := copy(o.entries, o.entries[o.offset:])
	clear(o.entries[n:])
	o.entries = o.entries[:n]
	o.first += uint64(o.offset)
	o.head -= o.offset
	o.sent -= o.offset
	o.placed -= o.offset
	o.fair.sorted -= o.offset
	o.offset = 0
}

// pending reports whether there is anything to publish.
func (o *outbox) pending() bool {
	return o.sent < len(o.entries) || o.resendHead && o.head < o.sent
}

// batch appends to items the next entries to publish: as many as fit room bytes, or a single one. begin
// is the index of the first. If it appends none, there is nothing to publish. Its entries have their places then.
func (o *outbox) batch(items []item, room int) (batch []item, begin int) {
	begin = o.sent
	if o.resendHead && o.head < o.sent {
		begin = o.head
	}
	o.resendHead = false
	end := begin
	for ; end < len(o.entries) && len(items) < maxItems/2; end++ {
		if end == o.placed && o.mixed && o.unplaced > room {
			o.arrange()
		}
		room -= o.entries[end].room()
		if room < 0 && end > begin {
			break
		}
		items = append(items, o.entries[end].item)
	}
	o.place(end)
	return items, begin
}

// published notes that the bus has the entries from number on, count of them.
func (o *outbox) published(number uint64, count int, now time.Time) {
	begin := int(number - o.first) // may be negative, if they are back already and dropped
	if begin <= o.sent {
		o.sent = max(o.sent, begin+count) // else rewind has come in between
	}
	if begin <= o.head && begin+count > o.head {
		o.headSent = now
	}
}

// sendAgain has all entries that are not yet back published again, and returns how many.
func (o *outbox) sendAgain() int {
	count := o.sent - o.head
	o.sent, o.gathered = o.head, false
	o.headSent = time.Time{}
	return count
}

// rewind has all entries that are not yet back published again, and returns how many. It does so once
// until one comes back, and reports false from then on.
func (o *outbox) rewind() (count int, ok bool) {
	if o.rewound {
		return 0, false
	}
	count = o.sent - o.head
	o.rewound = true
	o.sent = o.head
	return count, true
}

// renumber prepares for a new epoch, in which the entries take the numbers from 2 on. contained reports
// by its Seq whether the cluster has an entry. renumber returns those that it has and that are not yet
// back, and keeps those that are still to be published, for the first time or again. It keeps what the cluster has as
// well: the instance may come to another log later, which lacks that.
func (o *outbox) renumber(contained func(seq uint64) bool) (committed []ownEntry) {
	keep := make([]ownEntry, 0, o.waiting())
	var earlier []ownEntry
	bytes := 0
	sort := func(e ownEntry, accepted bool) {
		switch {
		case !forState(e.Kind):
			return
		case !contained(e.Seq):
			if accepted {
				e.Kind = entryAgain // it was acknowledged
			}
			keep = append(keep, e)
			return
		case !accepted:
			committed = append(committed, e)
		}
		earlier = append(earlier, e)
		bytes += len(e.Body) + entryRoom
	}
	for _, e := range o.earlier {
		sort(e, true)
	}
	placed := len(keep) // so that they keep their lasting names, see arrange
	for i := o.offset; i < len(o.entries); i++ {
		sort(o.entries[i], i < o.head)
		if i < o.placed {
			placed = len(keep)
		}
	}
	*o = outbox{entries: keep, earlier: earlier, maxKept: o.maxKept, keptBytes: bytes, first: 2, seq: o.seq,
		placed: placed, mixed: true}
	for i := range o.entries {
		o.count(&o.entries[i], 1)
		if i >= placed {
			o.unplaced += o.entries[i].room()
		}
	}
	return committed
}

// prepend puts entries ahead of all others; nothing has been published in this epoch yet.
func (o *outbox) prepend(kind uint8, bodies [][]byte, at time.Time) {
	if len(bodies) == 0 {
		return
	}
	rest := o.entries
	o.entries = make([]ownEntry, 0, len(bodies)+len(rest))
	for _, body := range bodies {
		o.add(ownEntry{item: item{Kind: kind, Body: body}, at: at})
	}
	o.entries = append(o.entries, rest...)
	o.placed += len(bodies)
}
