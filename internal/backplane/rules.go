package backplane

import (
	"fmt"
	"time"
)

// knownRules is the newest version of the state machine's rules that all members know.
func (l *logState) knownRules() uint64 {
	known := uint64(1<<63 - 1)
	for _, r := range l.records {
		if !r.Gone {
			known = min(known, r.Rules)
		}
	}
	return known
}

// rulesTick raises the rules once all members have known newer ones for a while. The oldest member in sync does it.
func (p *protocol) rulesTick(now time.Time) {
	known := p.log.knownRules()
	if known <= p.log.rules || p.turn("") > 0 {
		p.raising = raising{}
		return
	}
	if r := &p.raising; r.to != known {
		*r = raising{to: known, since: now}
	} else if now.Sub(r.since) >= p.RaiseAfter {
		r.since = now
		p.appendControl(now, entryRaise, &control{Rules: known})
	}
}

// raising is a version of the rules that this instance is going to raise the cluster to.
type raising struct {
	to    uint64
	since time.Time // when all members began to know it, or it was last appended
}

// raise applies an entry that raises the rules. An instance that has joined since it was appended may know less.
func (p *protocol) raise(at Entry, c *control) {
	rules := min(c.Rules, p.log.knownRules())
	if rules <= p.log.rules {
		return
	}
	p.log.rules = rules
	p.logInfo("rules raised", "rules", rules)
	p.effect(effect{kind: effectRaise, entry: at, rules: rules})
}

// refusal answers a join request that can't be granted.
type refusal struct {
	Epoch uint64 `cbor:"1,keyasint"`           // of the request
	Rules uint64 `cbor:"2,keyasint,omitempty"` // that the requester must know
	Above uint64 `cbor:"3,keyasint,omitempty"` // that its epoch must exceed: one of an earlier process by its name
}

// refuse answers the join request of an instance that the log does not admit. The donor does so, as it would send a
// snapshot.
func (p *protocol) refuse(e *envelope, request *control) {
	if p.log.donor(e.From, request.Attempt) != p.instance {
		return
	}
	answer := &refusal{Epoch: e.Epoch}
	if request.Rules < p.log.rules {
		answer.Rules = p.log.rules
	}
	if r := p.log.records[e.From]; r != nil && r.Start != request.Start && r.Epoch >= e.Epoch {
		answer.Above = r.Epoch
	}
	if answer.Rules > 0 || answer.Above > 0 {
		p.unicast(unicast{to: e.From, envelope: envelope{Kind: kindRefusal, Refusal: answer}})
	}
}

// refused takes the answer to the own join request.
func (p *protocol) refused(now time.Time, e *envelope) {
	j, answer := p.join, e.Refusal
	if j == nil || answer.Epoch != p.epochs.current {
		return
	}
	p.donorHeard(now, e)
	if answer.Rules > p.knows {
		p.stopForRules(answer.Rules)
		return
	}
	if answer.Above > 0 { // this machine's clock was set back since that process started
		p.exceed(answer.Above)
		p.requestJoin(now, j.kind, j.attempt, j.reason)
	}
}

// exceed has the next epoch be later than one of an earlier process by this name.
func (p *protocol) exceed(epoch uint64) {
	p.epochs.current = max(p.epochs.current, epoch)
	if p.epochs.base == 0 {
		p.epochs.start = 0 // this process has not been in the cluster yet: it starts with the next epoch
	}
}

// stopForRules ends Run: the cluster follows rules that this build does not know.
func (p *protocol) stopForRules(rules uint64) {
	p.effect(effect{kind: effectStop, err: fmt.Errorf(
		"the cluster follows version %d of the rules, this build knows version %d: run the newer build: %w",
		rules, p.knows, ErrVersion)})
}

// older takes an envelope of an earlier, incompatible version of the format. Beside instances that write it this one
// must not get in sync: it would be in a cluster of its own.
func (p *protocol) older(e *envelope) {
	p.counters.Received++
	p.counters.Unexpected++
	inSync := e.Kind == kindLog && e.Index > 0 || e.Kind == kindChunk && e.To == p.instance
	if p.join == nil || !inSync {
		return
	}
	p.effect(effect{kind: effectStop, err: fmt.Errorf(
		"%s and perhaps other instances follow this log in version %d of the format, this build reads it from version "+
			"%d on: stop them first, or use another topic: %w", e.From, e.Version, oldestVersion, ErrVersion)})
}
