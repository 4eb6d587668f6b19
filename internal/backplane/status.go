package backplane

import "time"

// Status is a moment's view of a node.
type Status struct {
	Ready   bool          // in the cluster, in sync and not cut off for long: a readiness probe may succeed
	Why     string        // if not ready, the reason as a sentence for people
	CutOff  bool          // own entries do not come back from the log in time
	Members []Member      // the cluster as the log has it, oldest first, with this instance; empty while out of sync
	Latency time.Duration // of the own entry that came back last, from Append to Apply; 0 before the first
	Waiting int           // own entries not yet back from the log
}

// Member is one instance of the cluster.
type Member struct {
	Instance string
	Epoch    uint64
	Heard    time.Time // when something of it last arrived here; zero: never since this instance joined
	Self     bool
}

// Counters count since the node was made. They only grow.
type Counters struct {
	EntryCounters
	MemberCounters
	BusCounters
}

// EntryCounters count entries of the log.
type EntryCounters struct {
	Appended    uint64 // accepted by Append
	Refused     uint64 // refused by Append because too many waited
	Applied     uint64 // of all instances, given to the state machine
	Skipped     uint64 // of these, the ones that it could not apply
	Resent      uint64 // own ones, published again because they had not come back
	Provisional uint64 // own ones that Local.Provisional was called with
	Repeats     uint64 // received again and dropped
	Unexpected  uint64 // dropped because their instance was not, or no longer, in the cluster in that epoch
	Gaps        uint64 // times that entries were found missing: by their numbers, by a checkpoint, or by the bus
}

// MemberCounters count changes of the membership.
type MemberCounters struct {
	Joins     uint64 // times this instance got in sync: more than one means that it has lost something
	Snapshots uint64 // made for others
	Evictions uint64 // of any instance, by the log
}

// BusCounters count operations of the bus.
type BusCounters struct {
	Batches    uint64 // envelopes published to all, those published again included
	BatchBytes uint64 // their bytes
	Received   uint64 // bodies delivered by the bus
	Malformed  uint64 // of these, not envelopes of this protocol
	Busy       uint64 // operations that the bus refused as busy
	Failures   uint64 // other failed operations
	Restarts   uint64 // times Receive was called again because it had failed or gone silent
}

// Observer is called as things happen, on Node's goroutines, perhaps several functions at once; they must
// be quick. Nil functions are not called.
type Observer struct {
	// OwnEntry is given the time from Append to Apply of each own entry.
	OwnEntry func(latency time.Duration)
	// Batch is given the size of each envelope published to all.
	Batch func(entries, bytes int)
	// Published is given each message that was sent to the bus, also one that the bus refused.
	Published func(Publication)
	// Skipped is given each entry that the state machine could not apply, and its reason. The entry's
	// body must not be modified.
	Skipped func(e Entry, reason error)
}

// Publication is one message that an instance has sent to the bus.
type Publication struct {
	Traces  map[uint]string // trace contexts of the own entries in it; not to be modified
	Entries int             // own ones
	Bytes   int
	Began   time.Time
	Err     error // nil: the bus has it
}

// report is what Node.Status returns.
type report struct {
	status      Status // its Members are not modified, but replaced
	cutOffSince time.Time
}

// setCutOff notes whether own entries, or the join request, are late.
func (p *protocol) setCutOff(now time.Time, late bool) {
	if late == !p.report.cutOffSince.IsZero() {
		return
	}
	if p.report.cutOffSince = now; !late {
		p.report.cutOffSince = time.Time{}
	}
	p.effect(effect{kind: effectCutOff, cutOff: late})
}

func (p *protocol) updateStatus(now time.Time) {
	s := &p.report.status
	s.Members = p.currentMembers(now)
	s.CutOff = !p.report.cutOffSince.IsZero()
	cutOff := now.Sub(p.report.cutOffSince)
	switch {
	case p.join != nil:
		s.Why = p.whyOutOfSync(now)
	case s.CutOff && cutOff >= p.NotReadyAfter:
		s.Why = "cut off from the other instances for " + cutOff.Truncate(time.Second).String()
	default:
		s.Why = ""
	}
	s.Ready = s.Why == ""
}

func (p *protocol) currentMembers(now time.Time) []Member {
	if p.join != nil {
		return nil
	}
	ranked := p.log.members()
	members := make([]Member, 0, len(ranked))
	for _, r := range ranked {
		m := Member{Instance: r.Instance, Epoch: r.Epoch, Self: r.Instance == p.instance}
		if peer := p.membership.peers[r.Instance]; peer != nil {
			m.Heard = peer.heardAt
		}
		if m.Self {
			m.Heard = now
		}
		members = append(members, m)
	}
	return members
}
