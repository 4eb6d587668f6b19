package backplane

import (
	"cmp"
	"maps"
	"slices"
)

const (
	// maxGone bounds the records kept of instances that left. They tell an instance that comes back
	// which of its entries were accepted.
	maxGone = 1024
	// checkpointsKept bounds how far back the checkpoints of others can be compared with the own ones.
	checkpointsKept = 4096
	// maxEpoch is the greatest epoch that is admitted.
	maxEpoch = 1 << 62
)

// checkpoint is a log index and the hash over the ids of all entries accepted up to it.
type checkpoint struct {
	index, hash uint64
}

// logState is what the log says of itself: which instances are in the cluster, and how far the entries
// of each were accepted. It is a function of the log, like the state machine's state, and is part of
// each snapshot.
type logState struct {
	cluster clusterID
	parents lineage // the logs that this one continues, up to the branch
	rules   uint64  // version of the rules that the state machine follows
	loaded  bool    // this log began with a state that was loaded
	checkpoint
	records map[string]*record
	past    []checkpoint // ends of the last envelopes, ascending
	ranked  []*record    // what members returns; nil: not known
}

func newLogState(cluster clusterID, rules uint64) *logState {
	return &logState{cluster: cluster, rules: rules, records: make(map[string]*record)}
}

// entryClass says what becomes of an entry. It depends on the log alone, so that it is the same on
// every instance.
type entryClass int

const (
	accepted   entryClass = iota
	repeated              // accepted before
	early                 // an entry before it is missing; it will be sent again, and is not kept
	unexpected            // of an instance or an epoch that is not in the cluster
)

// classify decides about an entry other than a join request, and counts it if it is accepted.
func (l *logState) classify(r *record, epoch, number uint64) entryClass {
	switch {
	case r == nil || r.Gone || r.Epoch != epoch:
		return unexpected
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
func (l *logState) advance(instance string, epoch, number uint64) {
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
	l.index++
}

// endEnvelope remembers the checkpoint that envelopes sealed from now on may name.
func (l *logState) endEnvelope() {
	if len(l.past) > 0 && l.past[len(l.past)-1].index == l.index {
		return
	}
	if len(l.past) >= 2*checkpointsKept {
		l.past = append(l.past[:0], l.past[len(l.past)-checkpointsKept:]...)
	}
	l.past = append(l.past, l.checkpoint)
}

// comparison is the result of comparing the checkpoint of another instance with the own ones.
type comparison int

const (
	unknown comparison = iota // too old, or never the end of an envelope here: no evidence
	agrees
	differs // the same number of entries, but not the same entries
	ahead   // the other had accepted more when it sealed the envelope than this instance has now: some were missed
)

func (l *logState) compare(index, hash uint64) comparison {
	if index > l.index {
		return ahead
	}
	i, found := slices.BinarySearchFunc(l.past, index, func(c checkpoint, index uint64) int {
		return cmp.Compare(c.index, index)
	})
	switch {
	case !found:
		return unknown
	case l.past[i].hash != hash:
		return differs
	}
	return agrees
}

// admission is what an accepted join request changes.
type admission struct {
	*record
	restarted bool // another process of that name was a member until now: it is gone
}

// admit opens an epoch for the instance that requests to join. It reports false if it has admitted that
// epoch, or a later one, before, or if the instance does not know the rules.
func (l *logState) admit(instance string, epoch uint64, request *control) (admission, bool) {
	r := l.records[instance]
	if r != nil && epoch <= r.Epoch || epoch > maxEpoch || request.Rules < l.rules {
		return admission{}, false
	}
	var a admission
	if r == nil {
		r = &record{Instance: instance}
		l.records[instance] = r
	} else {
		a.restarted = !r.Gone && r.Start != request.Start
	}
	if r.Start != request.Start {
		r.Seen = nil
	}
	r.Start, r.Epoch, r.Next = request.Start, epoch, 2
	r.InSync, r.Gone, r.GoneIndex, r.Reads = false, false, 0, max(request.Reads, oldestVersion)
	r.Connected = false
	l.ranked = nil
	r.Rules, r.Stores = request.Rules, request.Stores
	l.advance(instance, epoch, 1)
	r.Rank = l.index
	a.record = r
	return a, true
}

// leave marks an instance as gone. Of too many gone instances it forgets the one that left first.
func (l *logState) leave(r *record) {
	r.Gone, r.InSync, r.GoneIndex = true, false, l.index
	l.ranked = nil
	var gone []*record
	for _, r := range l.records {
		if r.Gone {
			gone = append(gone, r)
		}
	}
	if len(gone) > maxGone {
		first := slices.MinFunc(gone, func(a, b *record) int {
			return cmp.Or(cmp.Compare(a.GoneIndex, b.GoneIndex), cmp.Compare(a.Instance, b.Instance))
		})
		delete(l.records, first.Instance)
	}
}

// members are the records of the instances in the cluster, by rank. The caller must not modify the slice.
func (l *logState) members() []*record {
	if l.ranked != nil {
		return l.ranked
	}
	var members []*record
	for _, r := range l.records {
		if !r.Gone {
			members = append(members, r)
		}
	}
	slices.SortFunc(members, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Instance, b.Instance))
	})
	l.ranked = members
	return members
}

// connected reports whether a client is connected to any instance in the cluster.
func (l *logState) connected() bool {
	for _, r := range l.records {
		if r.Connected && !r.Gone {
			return true
		}
	}
	return false
}

// donors are the names of the instances in sync except one, by rank: the order in which they answer its
// join requests.
func (l *logState) donors(except string) []string {
	var names []string
	for _, r := range l.members() {
		if r.InSync && r.Instance != except {
			names = append(names, r.Instance)
		}
	}
	return names
}

// donor is the instance that answers the given attempt of a join request; "" if there is none.
func (l *logState) donor(requester string, attempt uint64) string {
	names := l.donors(requester)
	if len(names) == 0 {
		return ""
	}
	return names[(max(attempt, 1)-1)%uint64(len(names))]
}

// version is the newest that all members read.
func (l *logState) version() uint {
	version := uint(newestVersion)
	for _, r := range l.records {
		if !r.Gone {
			version = min(version, r.Reads)
		}
	}
	return max(version, oldestVersion)
}

// vector is the version vector: how far each member was followed. It names as many of the oldest
// members as fit room bytes.
func (l *logState) vector(room int) []vectorEntry {
	var vector []vectorEntry
	for _, r := range l.members() {
		if room -= len(r.Instance) + itemRoom; room < 0 || len(vector) == maxMembers {
			break
		}
		vector = append(vector, vectorEntry{Instance: r.Instance, Epoch: r.Epoch, Next: r.Next})
	}
	return vector
}

// lacks reports whether another's version vector proves that something was missed here.
func (l *logState) lacks(vector []vectorEntry) bool {
	return slices.ContainsFunc(vector, func(v vectorEntry) bool {
		r := l.records[v.Instance]
		switch {
		case r == nil || r.Epoch < v.Epoch:
			return true
		case r.Epoch > v.Epoch:
			return false // it has joined again since
		case r.Gone:
			return false // what it published after that was not accepted
		}
		return r.Next < v.Next
	})
}

// snapshot copies the log state.
func (l *logState) snapshot() snapshot {
	s := snapshot{Cluster: l.cluster, Parents: l.parents, Rules: l.rules, Loaded: l.loaded, Index: l.index,
		Hash: l.hash, Records: make([]record, 0, len(l.records))}
	for _, name := range slices.Sorted(maps.Keys(l.records)) {
		r := *l.records[name]
		r.Seen = slices.Clone(r.Seen)
		s.Records = append(s.Records, r)
	}
	return s
}

// restoreLogState takes over the records of s.
func restoreLogState(s *snapshot) *logState {
	l := newLogState(s.Cluster, s.Rules)
	l.parents, l.loaded = s.Parents, s.Loaded
	l.checkpoint = checkpoint{index: s.Index, hash: s.Hash}
	for i := range s.Records {
		l.records[s.Records[i].Instance] = &s.Records[i]
	}
	l.endEnvelope()
	return l
}
