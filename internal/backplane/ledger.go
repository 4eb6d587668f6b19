package backplane

import (
	"cmp"
	"maps"
	"slices"
)

// maxGone bounds the records kept of instances that left. They tell one that wakes up which of its entries were accepted.
const maxGone = 1024

// maxSpans bounds a record's spans. More than two are rare: some of Node's own entries are given up when it joins again.
const maxSpans = 32

// saw notes a Seq, and reports false if it was noted before.
func (r *record) saw(seq uint64) bool {
	if n := len(r.Seen); n > 0 && r.Seen[n-1].Last+1 == seq {
		r.Seen[n-1].Last = seq
		return true
	}
	if r.hasSeen(seq) {
		return false
	}
	i, _ := slices.BinarySearchFunc(r.Seen, seq, func(s span, seq uint64) int { return cmp.Compare(s.First, seq) })
	r.Seen = slices.Insert(r.Seen, i, span{First: seq, Last: seq})
	if i+1 < len(r.Seen) && seq+1 == r.Seen[i+1].First {
		r.Seen[i].Last = r.Seen[i+1].Last
		r.Seen = slices.Delete(r.Seen, i+1, i+2)
	}
	if i > 0 && r.Seen[i-1].Last+1 == seq {
		r.Seen[i-1].Last = r.Seen[i].Last
		r.Seen = slices.Delete(r.Seen, i, i+1)
	}
	if len(r.Seen) > maxSpans {
		r.Seen[1].First = r.Seen[0].First // the oldest hole will not be filled any more
		r.Seen = slices.Delete(r.Seen, 0, 1)
	}
	return true
}

func (r *record) hasSeen(seq uint64) bool {
	return slices.ContainsFunc(r.Seen, func(s span) bool { return s.First <= seq && seq <= s.Last })
}

// checkpointsKept bounds how far back another's account of the log can be compared with one's own.
const checkpointsKept = 4096

// verdict is what becomes of an entry. It depends on the log alone, so that every instance comes to the same.
type verdict int

const (
	accepted verdict = iota
	repeated         // accepted before
	early            // an entry before it is missing; it will be sent again, and is not kept
	stray            // of an instance or an epoch that is not in the cluster
)

// checkpoint is a place in the log and the hash over the ids of all entries accepted up to it.
type checkpoint struct {
	place, hash uint64
}

// ledger is the log's own account of itself: who is in the cluster and how far each one's entries were accepted. It is a
// function of the log, like the state machine's state, and travels with it in a snapshot.
type ledger struct {
	cluster clusterID
	checkpoint
	records map[string]*record
	past    []checkpoint // ends of the last envelopes, ascending
}

func newLedger(cluster clusterID) *ledger {
	return &ledger{cluster: cluster, records: make(map[string]*record)}
}

// judge tells the fate of an entry other than an ask, and counts it if it is accepted.
func (l *ledger) judge(r *record, epoch, number uint64) verdict {
	switch {
	case r == nil || r.Gone || r.Epoch != epoch:
		return stray
	case number < r.Next:
		return repeated
	case number > r.Next:
		return early
	}
	r.Next++
	l.advance(r.Instance, epoch, number)
	return accepted
}

// advance moves the checkpoint on by one accepted entry.
func (l *ledger) advance(instance string, epoch, number uint64) {
	const prime = 0x9e3779b97f4a7c15
	h := l.hash
	for i := 0; i < len(instance); i++ {
		h = (h ^ uint64(instance[i])) * 0x100000001b3
	}
	h = (h ^ epoch) * prime
	h ^= h >> 29
	h = (h ^ number) * prime
	h ^= h >> 32
	l.hash = h
	l.place++
}

// endEnvelope remembers the checkpoint that envelopes sealed from now on may name.
func (l *ledger) endEnvelope() {
	if len(l.past) > 0 && l.past[len(l.past)-1].place == l.place {
		return
	}
	if len(l.past) >= 2*checkpointsKept {
		l.past = append(l.past[:0], l.past[len(l.past)-checkpointsKept:]...)
	}
	l.past = append(l.past, l.checkpoint)
}

// comparison of another's checkpoint with one's own account.
type comparison int

const (
	unknown  comparison = iota // too old, or never a boundary here: no evidence
	agrees                     //
	differs                    // the same number of entries, but not the same
	ahead                      // the other, when it sealed this, had more than there is here now: some were missed
	maxEpoch = 1 << 62
)

func (l *ledger) compare(place, hash uint64) comparison {
	if place > l.place {
		return ahead
	}
	i, found := slices.BinarySearchFunc(l.past, place, func(c checkpoint, place uint64) int {
		return cmp.Compare(c.place, place)
	})
	switch {
	case !found:
		return unknown
	case l.past[i].hash != hash:
		return differs
	}
	return agrees
}

// admission is what the log's hearing of an ask or a founding changes.
type admission struct {
	*record
	restarted bool // another process of that name was a member until now: it is gone
}

// admit opens an epoch for the instance that asks. It reports false if that epoch is no news.
func (l *ledger) admit(instance string, epoch uint64, ask *control) (admission, bool) {
	r := l.records[instance]
	if r != nil && epoch <= r.Epoch || epoch > maxEpoch {
		return admission{}, false
	}
	var a admission
	if r == nil {
		r = &record{Instance: instance}
		l.records[instance] = r
	} else {
		a.restarted = !r.Gone && r.Start != ask.Start
	}
	if r.Start != ask.Start {
		r.Seen = nil
	}
	r.Start, r.Epoch, r.Next = ask.Start, epoch, 2
	r.InStep, r.Gone, r.GonePlace, r.Speaks = false, false, 0, max(ask.Speaks, oldestVersion)
	l.advance(instance, epoch, 1)
	r.Rank = l.place
	a.record = r
	return a, true
}

// leave marks an instance as gone.
func (l *ledger) leave(r *record) {
	r.Gone, r.InStep, r.GonePlace = true, false, l.place
	var gone []*record
	for _, r := range l.records {
		if r.Gone {
			gone = append(gone, r)
		}
	}
	if len(gone) > maxGone {
		oldest := slices.MinFunc(gone, func(a, b *record) int {
			return cmp.Or(cmp.Compare(a.GonePlace, b.GonePlace), cmp.Compare(a.Instance, b.Instance))
		})
		delete(l.records, oldest.Instance)
	}
}

// members are the records of those in the cluster, seniors first.
func (l *ledger) members() []*record {
	var members []*record
	for _, r := range l.records {
		if !r.Gone {
			members = append(members, r)
		}
	}
	slices.SortFunc(members, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Instance, b.Instance))
	})
	return members
}

// answerers are the names of those in step but one, seniors first: the order in which they answer for it.
func (l *ledger) answerers(but string) []string {
	var names []string
	for _, r := range l.members() {
		if r.InStep && r.Instance != but {
			names = append(names, r.Instance)
		}
	}
	return names
}

// responder is who answers the given attempt of an ask; "" if nobody can.
func (l *ledger) responder(asker string, attempt uint64) string {
	names := l.answerers(asker)
	if len(names) == 0 {
		return ""
	}
	return names[(max(attempt, 1)-1)%uint64(len(names))]
}

// version is the newest that all members read.
func (l *ledger) version() uint {
	version := uint(newestVersion)
	for _, r := range l.records {
		if !r.Gone {
			version = min(version, r.Speaks)
		}
	}
	return max(version, oldestVersion)
}

// vector tells how far each member was followed, as far as that fits into room bytes: the juniors' part is left out.
func (l *ledger) vector(room int) []mark {
	var marks []mark
	for _, r := range l.members() {
		if room -= len(r.Instance) + itemRoom; room < 0 || len(marks) == maxMembers {
			break
		}
		marks = append(marks, mark{Instance: r.Instance, Epoch: r.Epoch, Next: r.Next})
	}
	return marks
}

// lacks reports whether the other's vector proves that something was missed here.
func (l *ledger) lacks(vector []mark) bool {
	return slices.ContainsFunc(vector, func(m mark) bool {
		r := l.records[m.Instance]
		switch {
		case r == nil || r.Epoch < m.Epoch:
			return true
		case r.Epoch > m.Epoch:
			return false // it has joined again since
		case r.Gone:
			return false // what it said after that was not accepted
		}
		return r.Next < m.Next
	})
}

// snapshot shares memory with the ledger: it is to be encoded at once.
func (l *ledger) snapshot(state []byte) *snapshot {
	s := &snapshot{Cluster: l.cluster, Place: l.place, Hash: l.hash, State: state}
	for _, name := range slices.Sorted(maps.Keys(l.records)) {
		s.Records = append(s.Records, *l.records[name])
	}
	return s
}

func restoreLedger(s *snapshot) *ledger {
	l := newLedger(s.Cluster)
	l.checkpoint = checkpoint{place: s.Place, hash: s.Hash}
	for i := range s.Records {
		l.records[s.Records[i].Instance] = &s.Records[i]
	}
	l.endEnvelope()
	return l
}
