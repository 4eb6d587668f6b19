package backplane

// storing is what the protocol knows of what is kept.
type storing struct {
	own  uint64 // index up to which this instance's Recorder says that all is kept
	told uint64 // the same, as the archivist says
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
	s := Standing{InSync: p.join == nil && p.log != nil, Kept: p.storing.told}
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

// kept takes the index up to which this instance's Recorder has all entries.
func (p *protocol) kept(index uint64) { p.storing.own = index }

// keptByArchivist is what an own batch says is kept; 0 if this instance is not the archivist.
func (p *protocol) keptByArchivist() uint64 {
	if p.storing.own == 0 || p.archivist() != p.instance {
		return 0
	}
	return p.storing.own
}

// checkpoint has the state encoded for the Recorder, unless that does not want it any more.
func (p *protocol) checkpoint() {
	if p.recording {
		p.effect(effect{
			kind: effectCheckpoint, snapshot: &snapshotRequest{log: p.log.snapshot()}, at: p.log.position(),
		})
	}
}
