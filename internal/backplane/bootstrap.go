package backplane

import (
	"cmp"
	"time"
)

// bootstrapAfter is how long no instance may be heard before this one bootstraps the cluster.
func (p *protocol) bootstrapAfter() time.Duration { return max(p.BootstrapAfter, 3*p.join.roundTrip) }

// donorHeard reports whether an instance was heard of late that can send a snapshot, or is to bootstrap
// before this one.
func (p *protocol) donorHeard(now time.Time) bool {
	heard := p.join.donorAt
	return !heard.IsZero() && now.Sub(heard) < p.bootstrapAfter()
}

// otherRequest takes the join request of another instance that is out of sync, too. Of the two, the one
// that has more of the log bootstraps.
func (p *protocol) otherRequest(now time.Time, it *item) {
	j := p.join
	request, err := decodeControl(it.Body)
	if err != nil {
		return
	}
	order := request.compareState(p.log)
	if order < 0 || order == 0 && it.Kind == entryJoinRequest {
		return
	}
	if it.Kind == entryBootstrap && !j.backAt.IsZero() && !p.donorHeard(now) {
		j.progressAt = time.Time{} // there is an instance to answer now
	}
	j.donorAt = now
}

// compareState compares how much of the log the requesting instance has with l, which is nil for
// nothing. The result is negative if the requester has less, positive if it has more.
func (c *control) compareState(l *logState) int {
	switch {
	case l == nil:
		return cmp.Compare(c.Index, 0)
	case c.Index == 0 || c.Cluster != l.cluster && l.cluster.olderThan(c.Cluster):
		return -1
	case c.Cluster != l.cluster:
		return 1
	}
	return cmp.Compare(c.Index, l.index)
}

// bootstrap begins the log again at the own request e, with the state that this instance has.
func (p *protocol) bootstrap(now time.Time, e *envelope) {
	request, err := decodeControl(e.Items[0].Body)
	if err != nil {
		panic(err) // its own
	}
	if p.log == nil {
		p.log = newLogState(clusterID{Stamp: p.epochs.current, Founder: p.instance})
	}
	for _, r := range p.log.records {
		r.InSync = false // an instance that is in sync will say so again
	}
	a, ok := p.log.admit(p.instance, p.epochs.current, request)
	if !ok {
		p.requestJoin(now, entryBootstrap, p.join.attempt+1, p.join.reason)
		return
	}
	a.InSync = true
	p.log.endEnvelope()
	p.logInfo("cluster bootstrapped: no instance answered", "instance", p.instance)
	p.enterSync(now, a.record, nil, false)
}
