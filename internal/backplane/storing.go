package backplane

import "time"

const (
	// tellKeptAfter is how long an archivist that has nothing to send waits before it tells the others what is kept.
	tellKeptAfter = 15 * time.Second
	// keptWithin is how long an archivist may say nothing of an entry before the others ask whether it lives. Without
	// clients nobody else would notice for minutes, and the entry would be on the bus alone for as long.
	keptWithin = 40 * time.Second
)

// storing is what the protocol knows of what is kept.
type storing struct {
	own  Keeping // of this instance's Recorder
	told Keeping // what the archivist has said, this instance included
	due  uint64  // index of the newest entry of the state machine

	awaited      uint64    // index that the archivist is expected to say is kept
	awaitedSince time.Time // since when
}

// record has an accepted entry recorded.
func (p *protocol) record(e *envelope, number uint64, it *item, begins bool) {
	if !p.recording {
		return
	}
	c := p.log.cluster
	p.effect(effect{kind: effectRecord, record: &acceptedEntry{
		log: LogID{c.Stamp, c.Founder}, index: p.log.index,
		storedEntry: storedEntry{Version: storedVersion, From: e.From, Epoch: e.Epoch, Number: number, Kind: it.Kind,
			Seq: it.Seq, Time: it.Time, Body: it.Body, Begins: begins},
	}})
}

// standing is how this instance stands in the cluster.
func (p *protocol) standing() Standing {
	s := Standing{InSync: p.join == nil && p.log != nil, Told: p.storing.told}
	if p.log == nil {
		return s
	}
	s.At = p.log.position()
	s.Archivist = s.InSync && p.archivist() == p.instance
	return s
}

// archivist is the oldest member in sync that has a Recorder; "" if there is none.
func (p *protocol) archivist() string {
	for _, r := range p.log.members() {
		if r.InSync && r.Stores {
			return r.Instance
		}
	}
	return ""
}

// keeps takes how far this instance's Recorder has come.
func (p *protocol) keeps(k Keeping) { p.storing.own = k }

// ownKeeping is what an own batch says is kept; zero if this instance is not the archivist.
func (p *protocol) ownKeeping() Keeping {
	if p.archivist() != p.instance {
		return Keeping{}
	}
	return p.storing.own
}

// hearKeeping takes what a batch says is kept.
func (p *protocol) hearKeeping(e *envelope) {
	told := &p.storing.told
	if e.Cluster != p.log.cluster {
		return
	}
	told.Kept = max(told.Kept, e.Kept)
	if e.Trouble != told.Trouble && p.archivist() == e.From {
		told.Trouble = min(e.Trouble, AtRisk)
	}
}

// storingTick has the archivist tell what it has sent no batch for, and the others look after an archivist that does
// not tell.
func (p *protocol) storingTick(now time.Time) {
	s := &p.storing
	archivist := p.archivist()
	if !p.recording || archivist == "" || len(p.log.members()) == 1 {
		s.awaited = 0
		return
	}
	if archivist == p.instance {
		s.awaited = 0
		late := s.told.Kept < min(s.due, s.own.Kept) && now.Sub(p.outgoing.lastBatchAt) >= tellKeptAfter
		if late || s.own.Trouble != s.told.Trouble {
			p.heartbeat(now)
		}
		return
	}
	switch {
	case s.told.Kept >= s.due || s.told.Trouble != NoTrouble:
		s.awaited = 0
	case s.awaited == 0 || s.told.Kept >= s.awaited:
		s.awaited, s.awaitedSince = s.due, now
	case now.Sub(s.awaitedSince) >= keptWithin+time.Duration(p.turn(archivist))*p.AnswerTimeout:
		s.awaitedSince = now
		p.suspect(archivist)
	}
}

// checkpoint has the state encoded for the Recorder, unless that does not want it any more.
func (p *protocol) checkpoint() {
	if p.recording {
		p.effect(effect{
			kind: effectCheckpoint, snapshot: &snapshotRequest{log: p.log.snapshot()}, at: p.log.position(),
		})
	}
}
