package backplane

import (
	"compress/flate"
	"errors"
	"fmt"
	"time"
)

// snapshotRequest asks the state machine for its state at one log index, on behalf of an instance that joins.
type snapshotRequest struct {
	receivers []receiver
	mark      uint64   // number of the own entry at that index; 0: it is that of the join request
	log       snapshot // the log state at that index, without State
}

// encode adds the state machine's bytes, of which it takes limit at most. It uses the compressor w.
func (r *snapshotRequest) encode(w *flate.Writer, state []byte, limit int) ([]byte, error) {
	if len(state) > limit {
		return nil, fmt.Errorf("%w: %d bytes are more than the limit of %d", errLarge, len(state), limit)
	}
	r.log.State = state
	return r.log.pack(w)
}

// donate sends the state as it is to an instance that joins.
func (p *protocol) donate(requester string, epoch uint64) {
	p.effect(effect{kind: effectTakeSnapshot, snapshot: &snapshotRequest{
		receivers: []receiver{{Instance: requester, Epoch: epoch}}, log: p.log.snapshot(),
	}})
}

// snapshotTaken answers effectTakeSnapshot with the encoded snapshot, or the error of encoding it.
func (p *protocol) snapshotTaken(r *snapshotRequest, encoded []byte, err error) {
	if err == nil && len(encoded) > p.MaxSnapshot {
		err = fmt.Errorf("%d bytes are more than the limit of %d", len(encoded), p.MaxSnapshot)
	}
	if err != nil {
		p.logError("snapshot can't be sent", "instance", r.receivers[0].Instance, "err", err)
		return
	}
	p.counters.Snapshots++
	for _, to := range r.receivers {
		p.outgoing.dropSnapshots(to.Instance)
	}
	u := unicast{
		to: r.receivers[0].Instance, envelope: envelope{Kind: kindChunk},
		snapshot: encoded, epoch: r.receivers[0].Epoch, mark: r.mark,
	}
	if r.mark > 0 {
		u.envelope.Receivers = r.receivers
	}
	p.unicast(u)
}

// chunkAssembly puts the parts of a snapshot together.
type chunkAssembly struct {
	donor   string
	mark    uint64
	parts   [][]byte // nil: none has come
	missing int
	bytes   int
}

// restoreRequest is a complete snapshot that is to replace the state.
type restoreRequest struct {
	donor    string
	instance string // whose join request it answers
	epoch    uint64 // of that request
	parts    [][]byte
	behind   []*envelope // what of the log is to be followed behind it
}

// decode returns the snapshot, or an error if it doesn't answer the request, or if it follows newer rules than those
// known. It takes limit bytes of state at most.
func (r *restoreRequest) decode(rules uint64, limit int) (*snapshot, error) {
	s, err := unpackSnapshot(r.parts, limit)
	if err != nil {
		return nil, err
	}
	if s.Rules > rules {
		return nil, fmt.Errorf("snapshot follows version %d of the rules, this build knows version %d: %w",
			s.Rules, rules, ErrVersion)
	}
	for i := range s.Records {
		if own := &s.Records[i]; own.Instance == r.instance && !own.Gone && own.Epoch == r.epoch {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%w: snapshot: not for this instance's epoch", errMalformed)
}

// takeChunk takes a part of a snapshot.
func (p *protocol) takeChunk(now time.Time, e *envelope) {
	j, c := p.join, e.Chunk
	if j == nil {
		return
	}
	p.donorHeard(now, e)
	if epoch, ok := e.answers(p.instance); j.backAt.IsZero() || !ok || epoch != p.epochs.current {
		return
	}
	a := &j.chunks
	if a.parts == nil || a.donor != e.From || a.mark != c.Mark || len(a.parts) != int(c.Count) {
		*a = chunkAssembly{donor: e.From, mark: c.Mark, parts: make([][]byte, c.Count), missing: int(c.Count)}
	}
	if a.parts[c.Index] != nil {
		return
	}
	if a.bytes += len(c.Data); a.bytes > p.MaxSnapshot {
		a.parts = nil
		return
	}
	a.parts[c.Index] = c.Data
	a.missing--
	j.progressAt = now
	if a.missing > 0 {
		return
	}
	parts := a.parts
	a.parts = nil
	behind, ok := logBehind(j.buffered, e, c.Mark)
	if !ok {
		p.logWarn("snapshot does not follow the join request", "instance", a.donor)
		return
	}
	p.effect(effect{kind: effectRestore, restore: &restoreRequest{
		donor: a.donor, instance: p.instance, epoch: p.epochs.current, parts: parts, behind: behind,
	}})
}

// restored answers effectRestore. s is the decoded snapshot, which the state machine has restored
// unless err is set.
func (p *protocol) restored(now time.Time, r *restoreRequest, s *snapshot, err error) {
	if errors.Is(err, ErrVersion) {
		p.effect(effect{kind: effectStop, err: err})
		return
	}
	if err != nil {
		p.logError("snapshot can't be used", "instance", r.donor, "err", err)
		return
	}
	p.log = restoreLogState(s)
	if p.storing.told = (Keeping{}); p.recording {
		p.effect(effect{kind: effectJump, at: p.log.position()})
	}
	p.enterSync(now, p.log.records[p.instance], r.behind, true)
}
