package backplane

import "time"

// Status is a moment's view of a node.
type Status struct {
	Ready   bool          // in the cluster, in step and not cut off for long: a readiness probe may answer yes
	Why     string        // if not ready, the reason as a sentence for people
	CutOff  bool          // own entries do not come back from the log in time
	Members []Member      // the cluster as the log has it, oneself included, oldest first; empty while not in step
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
	Appended    uint64 // entries accepted by Append
	Refused     uint64 // entries refused by Append because too many waited
	Applied     uint64 // entries of all instances given to the state machine
	Batches     uint64 // envelopes published to all, resent ones included
	BatchBytes  uint64 // their bytes
	Resent      uint64 // own entries published again because they had not come back
	Received    uint64 // bodies delivered by the bus
	Malformed   uint64 // of these, not envelopes of this protocol
	Repeats     uint64 // entries received again and dropped
	Strays      uint64 // entries dropped because their instance was not, or no longer, in the cluster in that epoch
	Gaps        uint64 // holes found: in an instance's numbers, against another's account, or told by the bus
	Joins       uint64 // times this instance got in step: 1 is a quiet life
	Snapshots   uint64 // snapshots made for others
	Evictions   uint64 // instances evicted by the log
	Provisional uint64 // own entries told to Local.Provisional
	Busy        uint64 // publish attempts that the bus refused as busy
	Failures    uint64 // other failed operations of the bus
	Restarts    uint64 // times Receive was called again because it had failed or gone silent
}

// Observer is called as things happen, on Node's goroutines, perhaps both functions at once; they must be quick. Nil
// functions are not called.
type Observer struct {
	// OwnEntry is given the time from Append to Apply of each own entry.
	OwnEntry func(latency time.Duration)
	// Batch is given the size of each envelope published to all.
	Batch func(entries, bytes int)
}

func (c *Counters) add(d *Counters) {
	c.Appended += d.Appended
	c.Refused += d.Refused
	c.Applied += d.Applied
	c.Batches += d.Batches
	c.BatchBytes += d.BatchBytes
	c.Resent += d.Resent
	c.Received += d.Received
	c.Malformed += d.Malformed
	c.Repeats += d.Repeats
	c.Strays += d.Strays
	c.Gaps += d.Gaps
	c.Joins += d.Joins
	c.Snapshots += d.Snapshots
	c.Evictions += d.Evictions
	c.Provisional += d.Provisional
	c.Busy += d.Busy
	c.Failures += d.Failures
	c.Restarts += d.Restarts
}

// updateStatus publishes the loop's view.
func (n *Node) updateStatus(now time.Time) {
	var members []Member
	if n.join == nil {
		for _, r := range n.ledger.members() {
			m := Member{Instance: r.Instance, Epoch: r.Epoch, Self: r.Instance == n.instance}
			if p := n.peers[r.Instance]; p != nil {
				m.Heard = p.heard
			}
			if m.Self {
				m.Heard = now
			}
			members = append(members, m)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := &n.status
	s.Members = members
	s.CutOff = !n.cutSince.IsZero()
	switch {
	case n.join != nil:
		s.Why = n.join.why()
	case s.CutOff && now.Sub(n.cutSince) >= n.options.NotReadyAfter:
		s.Why = "cut off from the other instances for " + now.Sub(n.cutSince).Truncate(time.Second).String()
	default:
		s.Why = ""
	}
	s.Ready = s.Why == ""
}
