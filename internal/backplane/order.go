package backplane

import (
	"cmp"
	"time"
)

// follow applies an envelope of the log, in step. What it does to ledger and state depends on the log alone.
func (n *Node) follow(e *envelope) {
	now := time.Now()
	mine := e.From == n.instance
	r := n.ledger.records[e.From]
	if !mine && e.Place > 0 {
		n.crossCheck(e, r, now)
	}
	if !mine && r != nil && !r.Gone && r.Epoch == e.Epoch {
		n.hear(e.From, now)
	}
	back := 0 // own entries come back in this envelope
	for i := range e.Items {
		number := e.First + uint64(i)
		if number == 1 && (e.Items[i].Kind == entryAsk || e.Items[i].Kind == entryFound) {
			n.admit(e, &e.Items[i], now)
			r = n.ledger.records[e.From]
			continue
		}
		v := n.ledger.judge(r, e.Epoch, number)
		if v == accepted {
			n.accept(e, r, number, &e.Items[i], now)
			if mine && number > 1 {
				back++
			}
			continue
		}
		if v == early {
			n.early(e, r, now)
			break
		}
		if v == stray {
			n.delta.Strays += uint64(len(e.Items) - i)
			n.strayed(e, r, now)
			break
		}
		n.delta.Repeats++
	}
	n.ledger.endEnvelope()
	if back > 0 {
		n.cameBack(back, now)
	}
}

// accept does what an accepted entry says.
func (n *Node) accept(e *envelope, r *record, number uint64, it *item, now time.Time) {
	at := Entry{Instance: e.From, Epoch: r.Start, Number: it.Seq, Time: it.Time}
	if e.From != n.instance {
		n.peer(e.From).holeSince = time.Time{}
	}
	if !r.saw(it.Seq) {
		n.delta.Repeats++ // published again in a later epoch, though it had been accepted in an earlier one
		return
	}
	switch it.Kind {
	case entryBody:
		at.Body = it.Body
		n.state.Apply(at)
		n.delta.Applied++
	case entryJoined:
		r.InStep = true
	case entryGoodbye:
		n.leaves(at, r)
	case entryProbe, entryEvict, entryCompare:
		c, err := decodeControl(it.Body)
		if err != nil {
			n.delta.Malformed++ // alike on every instance
			return
		}
		if p := n.peers[c.Instance]; p != nil && e.From == n.instance {
			p.acting = false
		}
		switch it.Kind {
		case entryProbe:
			n.probed(e.From, c, now)
		case entryEvict:
			n.evict(at, c)
		case entryCompare:
			n.compare(e, number, r, c, now)
		}
	}
}

// cameBack notes that the oldest count own entries are in the log.
func (n *Node) cameBack(count int, now time.Time) {
	observe := n.options.Observer.OwnEntry
	n.latencies = n.latencies[:0]
	n.mu.Lock()
	for range count {
		if n.out.waiting() == 0 {
			break // of another process by this name
		}
		o := n.out.accepted(now)
		if o.Kind != entryBody {
			continue
		}
		n.status.Latency = now.Sub(o.at)
		if observe != nil {
			n.latencies = append(n.latencies, now.Sub(o.at))
		}
	}
	n.out.compact()
	n.mu.Unlock()
	for _, latency := range n.latencies {
		observe(latency)
	}
}

// early is called for an entry whose predecessor has not come. Either the bus has lost that for all, and then it
// will be sent again, by the rule that nobody keeps a later one, at the same place for all; or it was lost to this
// instance alone, and then only a snapshot helps. Who sent it knows.
func (n *Node) early(e *envelope, r *record, now time.Time) {
	if e.From == n.instance {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.out.resentSince {
			n.delta.Gaps++
			n.delta.Resent += uint64(n.out.sent - n.out.head)
			n.out.resentSince = true
			n.out.sent = n.out.head
			n.wakeSender()
		}
		return
	}
	p := n.peer(e.From)
	if p.holeSince.IsZero() {
		n.delta.Gaps++
		p.holeSince = now
		p.askedAt = time.Time{}
	}
	if now.Sub(p.askedAt) >= time.Second {
		p.askedAt = now
		n.dispatchTo(dispatch{to: e.From, envelope: envelope{Kind: kindMissing, First: r.Next}})
	}
}

// repair answers an instance that has not got this one's entries from a number on.
func (n *Node) repair(e *envelope) {
	if n.join != nil {
		return
	}
	n.mu.Lock()
	again := e.First >= n.out.next() && !n.out.resentSince
	if again {
		n.delta.Resent += uint64(n.out.sent - n.out.head)
		n.out.resentSince = true
		n.out.sent = n.out.head
		n.wakeSender()
	}
	n.mu.Unlock()
	if !again {
		// They are in the log. The beat's checkpoint shows the asker that it has missed something.
		n.beat(time.Now())
	}
}

// crossCheck holds the sender's account of the log, as of when it sealed the envelope, against one's own.
func (n *Node) crossCheck(e *envelope, r *record, now time.Time) {
	switch {
	case e.Cluster != n.ledger.cluster:
		if e.Cluster.olderThan(n.ledger.cluster) {
			n.leaveStep("another cluster on this bus is older")
		} else {
			n.beat(now) // so that its members notice
		}
	case r != nil && e.Epoch < r.Epoch, r != nil && r.Gone && r.Epoch == e.Epoch:
		// The account of one that has left since, or must join again, proves nothing.
	case r != nil && e.Epoch > r.Epoch:
		n.leaveStep("missed that " + e.From + " joined")
	default:
		switch n.ledger.compare(e.Place, e.Hash) {
		case ahead:
			n.leaveStep("others have followed the log further")
		case differs:
			n.sendCompare(now)
		}
	}
}

// sendCompare puts this instance's account in the log, so that whoever has missed something learns it.
func (n *Node) sendCompare(now time.Time) {
	if now.Sub(n.compareAt) < time.Second {
		return
	}
	n.compareAt = now
	n.appendControl(entryCompare, &control{Vector: n.ledger.vector(n.maxBody - headerRoom)})
}

// compare settles a difference between two accounts of the log. Who lacks an entry that the other has must join again.
// If neither does, only the order differs, and the junior joins again; but not before the other has seen its account.
func (n *Node) compare(e *envelope, number uint64, r *record, c *control, now time.Time) {
	if e.From == n.instance {
		n.compareNum = number
		return
	}
	if n.ledger.lacks(c.Vector) {
		n.leaveStep("others have entries that did not arrive here")
		return
	}
	own := n.ledger.records[n.instance]
	if e.Cluster != n.ledger.cluster || own == nil || n.ledger.compare(e.Place, e.Hash) != differs {
		return
	}
	if own.Rank < r.Rank {
		n.compareAt = time.Time{} // an answer is always due
		n.sendCompare(now)
		return
	}
	for _, m := range c.Vector {
		if m.Instance == n.instance && m.Epoch == n.epoch && n.compareNum > 0 && m.Next > n.compareNum {
			n.leaveStep("order of the log differs from the one seen by " + e.From)
			return
		}
	}
	n.sendCompare(now)
}

// strayed is called for entries of an instance that is not in the cluster, or no longer in that epoch. If it believes
// to be, it has missed its own eviction, and learns so from what the first of those who could answer it puts in the
// log. If that doesn't help, neither knows the other, since much was lost: whose log is shorter asks anew.
func (n *Node) strayed(e *envelope, r *record, now time.Time) {
	if e.Place == 0 || e.From == n.instance || e.Cluster != n.ledger.cluster || r != nil && e.Epoch < r.Epoch {
		return
	}
	if names := n.ledger.answerers(e.From); len(names) > 0 && names[0] == n.instance {
		n.sendCompare(now)
	}
	since, known := n.strangers[e.From]
	if !known && len(n.strangers) < maxMembers {
		n.strangers[e.From] = now
	}
	more := cmp.Or(cmp.Compare(e.Place, n.ledger.place), cmp.Compare(e.Hash, n.ledger.hash)) > 0
	if known && now.Sub(since) >= n.options.AnswerAfter && more {
		n.leaveStep(e.From + " has more of the log, and is not known here")
	}
}

// leaveStep asks for stepping out once the present envelope is followed to its end.
func (n *Node) leaveStep(because string) {
	if n.outBecause == "" {
		n.outBecause = because
	}
}
