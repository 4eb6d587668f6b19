package backplane

import (
	"cmp"
	"math"
	"slices"
)

// fairness orders entries that wait for longer than one batch, so that an account that appends much does not keep
// the others' entries waiting. It is start-time fair queueing (Goyal, Vin and Cheng, 1996): the entries of each
// account begin, in a virtual time that is counted in bytes, where its entry before ends, but not before now. Those
// that begin first go first. The order does not matter to the log, since entries of several instances mix in any order
// as well. Within an account it stays.
//
// Where a batch takes all that waits, or all that waits is of one account, nothing is ordered and nothing is counted.
type fairness struct {
	now    uint64            // begin of the entry that was placed last
	ends   map[string]uint64 // end of the last entry of each account that is ahead of now; nil: nothing is ordered
	sorted int               // entries without a place are in order up to this index of the outbox

	// Room to work in.
	order  []ranked
	merged []ownEntry
}

// ranked is an entry's begin, and its index in the outbox.
type ranked struct {
	begins uint64
	index  int
}

func (r ranked) compare(other ranked) int {
	if c := cmp.Compare(r.begins, other.begins); c != 0 {
		return c
	}
	return cmp.Compare(r.index, other.index)
}

// room is what an entry takes in a batch.
func (e *ownEntry) room() int {
	if e.trace != "" {
		return len(e.Body) + itemRoom + len(e.trace) + traceRoom
	}
	return len(e.Body) + itemRoom
}

// rank gives an entry its begin.
func (f *fairness) rank(e *ownEntry) {
	if e.Kind == entryLeave {
		e.begins = math.MaxUint64 // behind all that waits
		return
	}
	e.begins = max(f.now, f.ends[e.account])
	f.ends[e.account] = e.begins + uint64(e.room())
}

// start forgets the accounts of which nothing is ahead of now.
func (f *fairness) start() {
	if f.ends == nil {
		f.now, f.ends = 0, make(map[string]uint64)
	}
	for account, end := range f.ends {
		if end <= f.now {
			delete(f.ends, account)
		}
	}
}

// arrange puts the entries that have no place yet in order. Lasting names (Seq) stay with the places, and so ascend:
// the log remembers them as ranges.
func (o *outbox) arrange() {
	f := &o.fair
	f.start()
	f.sorted = max(f.sorted, o.placed)
	f.order = f.order[:0]
	for i := f.sorted; i < len(o.entries); i++ {
		f.rank(&o.entries[i])
		f.order = append(f.order, ranked{o.entries[i].begins, i})
	}
	slices.SortFunc(f.order, ranked.compare)
	f.merged = f.merged[:0]
	for _, r := range f.order {
		f.merged = append(f.merged, o.entries[r.index])
	}
	o.merge(f.merged)
	clear(f.merged)
	f.sorted = len(o.entries)
}

// merge merges the entries behind those that are sorted, given in order, with these.
func (o *outbox) merge(entries []ownEntry) {
	last := o.fair.sorted - 1
	for to := len(o.entries) - 1; len(entries) > 0; to-- {
		name := o.entries[to].Seq
		n := len(entries) - 1
		if last >= o.placed && o.entries[last].begins > entries[n].begins {
			o.entries[to] = o.entries[last]
			last--
		} else {
			o.entries[to] = entries[n]
			entries = entries[:n]
		}
		o.entries[to].Seq = name
	}
}

// place notes that the entries up to an index keep their places: they are in a batch, under the numbers that they have.
func (o *outbox) place(end int) {
	for ; o.placed < end; o.placed++ {
		e := &o.entries[o.placed]
		o.unplaced -= e.room()
		if e.Kind != entryLeave {
			o.fair.now = max(o.fair.now, e.begins)
		}
	}
	if o.placed == len(o.entries) && o.fair.ends != nil {
		o.fair = fairness{} // nothing waits
	}
}

// share is what of the entries that wait is of one account.
type share struct{ count, bytes int }

// mayAppend reports whether there is room for an entry. An account may not have more waiting than is left: so however
// much it appends, there is room for others. While less than half is used that holds for all, and nothing is counted.
func (o *outbox) mayAppend(account string, bytes int, l *Limits) bool {
	left := share{l.MaxWaiting - o.waitingCount, l.MaxWaitingBytes - o.waitingBytes}
	switch {
	case left.count <= 0 || left.bytes < bytes:
		return false
	case account == "":
		return true
	case left.count > l.MaxWaiting/2 && left.bytes-bytes > l.MaxWaitingBytes/2:
		o.shares = nil
		return true
	}
	if o.shares == nil {
		o.shares = make(map[string]share)
		for i := o.head; i < len(o.entries); i++ {
			if forState(o.entries[i].Kind) {
				o.countShare(&o.entries[i], 1)
			}
		}
	}
	of := o.shares[account]
	return of.count < left.count && of.bytes+bytes <= left.bytes
}

func (o *outbox) countShare(e *ownEntry, sign int) {
	if o.shares == nil {
		return
	}
	of := o.shares[e.account]
	of.count, of.bytes = of.count+sign, of.bytes+sign*len(e.Body)
	if of == (share{}) {
		delete(o.shares, e.account)
		return
	}
	o.shares[e.account] = of
}
