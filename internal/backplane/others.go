package backplane

import "time"

// other is what an instance out of sync knows of another one. Its last request to join ends what was known before: a
// process that has got out of sync, or was started again with less of the log, neither answers nor goes before.
type other struct {
	joinsAt  time.Time // when its last request was heard; zero: it was heard in sync since
	donorAt  time.Time // when it was last heard in sync; zero: it has requested to join since
	betterAt time.Time // the same as joinsAt if it is to bootstrap before this instance; otherwise zero
	epoch    uint64    // the latest in which it was heard: a request of that one, or an earlier one, is a repeat
	begins   bool      // its last request was to bootstrap
	behind   uint64    // epoch of the own request, if that was back before
}

// others are all that an instance out of sync has heard of. Beyond maxMembers, they share one other without a name.
type others map[string]other

func (all *others) set(instance string, o other) {
	if *all == nil {
		*all = make(others)
	}
	if _, known := (*all)[instance]; !known && len(*all) >= maxMembers {
		instance, o.joinsAt = "", time.Time{}
	}
	(*all)[instance] = o
}

// donorAt is when an instance was last heard that can answer.
func (all others) donorAt() (last time.Time) {
	for _, o := range all {
		last = later(last, o.donorAt)
	}
	return last
}

// betterAt is when an instance was last heard that is to bootstrap before this one.
func (all others) betterAt() (last time.Time) {
	for _, o := range all {
		last = later(last, o.betterAt)
	}
	return last
}

// heardAt is when an instance was last heard that can answer, or is to bootstrap before this one.
func (all others) heardAt() time.Time { return later(all.donorAt(), all.betterAt()) }

// joinsToo reports whether an instance is known to be out of sync.
func (p *protocol) joinsToo(now time.Time, instance string) bool {
	heard := p.bootstrapping.others[instance].joinsAt
	return !heard.IsZero() && now.Sub(heard) < max(joinerLasts, joinerRoundTrips*p.join.roundTrip)
}

// donorHeard notes an envelope of an instance in sync. If that has begun a log behind the own request, nobody answers
// the request.
func (p *protocol) donorHeard(now time.Time, e *envelope) {
	known := p.bootstrapping.others[e.From]
	if known.begins {
		p.join.before = p.join.attempt
	}
	if known.behind == p.epochs.current {
		p.join.progressAt = time.Time{}
	}
	p.bootstrapping.others.set(e.From, other{donorAt: now, epoch: max(e.Epoch, known.epoch)})
}

// otherRequest takes the join request of another instance that is out of sync, too. Of the two, the one that has more
// of the log bootstraps. Of two that have loaded their states, it is the one whose request came first: where all start
// at once, the states may end at different requests of theirs, and nobody has followed them.
func (p *protocol) otherRequest(now time.Time, e *envelope) {
	j, b, it := p.join, &p.bootstrapping, &e.Items[0]
	request, err := decodeControl(it.Body)
	if err != nil {
		return
	}
	if request.StateRules > p.knows {
		p.stopForRules(request.StateRules)
		return
	}
	order := request.lineage().compare(p.log.lineage())
	if it.Kind == entryBootstrap && request.Loaded && p.loading.used {
		order = 1
	}
	known := b.others[e.From]
	joins := other{joinsAt: now, epoch: max(e.Epoch, known.epoch), begins: it.Kind == entryBootstrap}
	if joins.begins && !j.backAt.IsZero() {
		joins.behind = p.epochs.current
	}
	if order < 0 || order == 0 && it.Kind == entryJoinRequest {
		if e.Epoch > known.epoch {
			b.others.set(e.From, joins)
		}
		return
	}
	if joins.behind > 0 && !p.heardOfLate(now, b.others.heardAt()) {
		j.before, j.progressAt = j.attempt, time.Time{} // there is an instance to answer now
	}
	joins.betterAt = now
	b.others.set(e.From, joins)
}
