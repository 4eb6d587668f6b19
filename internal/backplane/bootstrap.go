package backplane

import "time"

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
	if request.StateRules > p.knows {
		p.stopForRules(request.StateRules)
		return
	}
	order := request.lineage().compare(p.log.lineage())
	if order < 0 || order == 0 && it.Kind == entryJoinRequest {
		return
	}
	if it.Kind == entryBootstrap && !j.backAt.IsZero() && !p.donorHeard(now) {
		j.progressAt = time.Time{} // there is an instance to answer now
	}
	j.donorAt = now
}

// bootstrap begins a log at the own request e, with the state that this instance has. The log has a name of its own,
// even if the state is that of another log: another instance may begin one with that state, too.
func (p *protocol) bootstrap(now time.Time, e *envelope) {
	request, err := decodeControl(e.Items[0].Body)
	if err != nil {
		panic(err) // its own
	}
	if p.log == nil {
		p.log = newLogState(clusterID{}, p.knows)
	}
	if r := p.log.records[p.instance]; r != nil && r.Epoch >= p.epochs.current {
		p.exceed(r.Epoch)
		p.requestJoin(now, entryBootstrap, p.join.attempt+1, p.join.reason)
		return
	}
	p.log.begin(clusterID{Stamp: p.epochs.current, Founder: p.instance})
	for _, r := range p.log.records {
		r.InSync = false // an instance that is in sync will say so again
	}
	a, ok := p.log.admit(p.instance, p.epochs.current, request)
	if !ok {
		panic("backplane: own join request is not admitted to the own log") // its epoch and rules were checked
	}
	a.InSync = true
	p.effect(effect{kind: effectBegin, entry: Entry{
		Instance: p.instance, Epoch: p.epochs.current, Index: p.log.index, Time: e.Items[0].Time,
	}})
	p.log.endEnvelope()
	p.logInfo("cluster bootstrapped: no instance answered", "instance", p.instance)
	p.enterSync(now, a.record, nil, false)
}
