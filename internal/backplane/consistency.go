package backplane

import (
	"cmp"
	"time"
)

// consistency compares this instance's log state with what the others say of theirs.
type consistency struct {
	rejoinReason  string               // set while an envelope is followed: why to join again behind it
	comparedAt    time.Time            // when the own version vector was last appended
	announcedAt   time.Time            // when the own log was last named to the members of another one
	compareNumber uint64               // number of that entry in this epoch, once it has come back
	unknown       map[string]time.Time // instances that are in sync but not known here, since when
}

// reset forgets what was true in an earlier epoch.
func (c *consistency) reset() {
	c.compareNumber = 0
	c.unknown = make(map[string]time.Time)
}

// rejoin has this instance join again once the present envelope is followed to its end.
func (p *protocol) rejoin(reason string) {
	if p.consistency.rejoinReason == "" {
		p.consistency.rejoinReason = reason
	}
}

// checkSender compares the sender's log state, as of when it sealed the envelope, with the own one. r
// is the sender's record, or nil.
func (p *protocol) checkSender(now time.Time, e *envelope, r *record) {
	switch {
	case e.Cluster != p.log.cluster:
		p.foreign(now, e)
	case r != nil && e.Epoch < r.Epoch, r != nil && r.Gone && r.Epoch == e.Epoch:
		// The log state of an instance that has left since, or must join again, proves nothing.
	case r != nil && e.Epoch > r.Epoch:
		p.rejoin("the join of " + e.From + " did not arrive here")
	default:
		switch p.log.compare(e.Index, e.Hash) {
		case ahead:
			p.rejoin("others have followed the log further")
		case differs:
			p.sendCompare(now)
		}
	}
}

// foreign takes an envelope of a cluster that follows another log on this bus: of two parts of a cluster, each has
// taken the other for dead. The members of the one that has less join the other; what they have acknowledged and it
// lacks, they publish again. A heartbeat that names the history of its log shows which one that is.
func (p *protocol) foreign(now time.Time, e *envelope) {
	for i := range e.Items {
		if e.Items[i].Kind != entryHeartbeat || len(e.Items[i].Body) == 0 {
			continue
		}
		c, err := decodeControl(e.Items[i].Body)
		if err == nil && c.lineage().compare(p.log.lineage()) > 0 {
			p.rejoin("another cluster on this bus, with " + e.From + ", has more of the log")
			return
		}
	}
	if now.Sub(p.consistency.announcedAt) >= time.Second {
		p.consistency.announcedAt = now
		p.appendControl(now, entryHeartbeat, &control{
			Cluster: p.log.cluster, Parents: p.log.parents, Index: p.log.index, Rules: p.log.rules,
		})
	}
}

// sendCompare appends the own version vector, so that an instance that has missed something learns it;
// once a second at most.
func (p *protocol) sendCompare(now time.Time) {
	if now.Sub(p.consistency.comparedAt) < time.Second {
		return
	}
	p.consistency.comparedAt = now
	p.appendControl(now, entryCompare, &control{Vector: p.log.vector(p.maxBody - headerRoom)})
}

// compare resolves a difference between two log states. An instance that lacks an entry which the other
// has joins again. If neither does, only the order differs, and the younger one joins again, but not
// before the other has seen its version vector.
func (p *protocol) compare(now time.Time, e *envelope, number uint64, r *record, c *control) {
	if e.From == p.instance {
		p.consistency.compareNumber = number
		return
	}
	if p.log.lacks(c.Vector) {
		p.rejoin("others have entries that did not arrive here")
		return
	}
	own := p.log.records[p.instance]
	if e.Cluster != p.log.cluster || own == nil || p.log.compare(e.Index, e.Hash) != differs {
		return
	}
	if own.Rank < r.Rank {
		p.consistency.comparedAt = time.Time{} // an answer is always due
		p.sendCompare(now)
		return
	}
	shown := p.consistency.compareNumber
	for _, v := range c.Vector {
		if v.Instance == p.instance && v.Epoch == p.epochs.current && shown > 0 && v.Next > shown {
			p.rejoin("the order of the log differs from that of " + e.From)
			return
		}
	}
	p.sendCompare(now)
}

// unexpected is called for entries of an instance that is not in the cluster, or no longer in that
// epoch. If it believes to be in sync, it has missed its own eviction. It learns of it from the version
// vector of the oldest instance. If that doesn't help, neither knows the other, since much was lost.
// Then the one with the shorter log joins again.
func (p *protocol) unexpected(now time.Time, e *envelope, r *record) {
	if e.Index == 0 || e.From == p.instance || e.Cluster != p.log.cluster || r != nil && e.Epoch < r.Epoch {
		return
	}
	if names := p.log.donors(e.From); len(names) > 0 && names[0] == p.instance {
		p.sendCompare(now)
	}
	since, known := p.consistency.unknown[e.From]
	if !known && len(p.consistency.unknown) < maxMembers {
		p.consistency.unknown[e.From] = now
	}
	more := cmp.Or(cmp.Compare(e.Index, p.log.index), cmp.Compare(e.Hash, p.log.hash)) > 0
	if known && now.Sub(since) >= p.AnswerTimeout && more {
		p.rejoin(e.From + " is not known here and has followed the log further")
	}
}
