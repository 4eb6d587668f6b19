package backplane

import (
	"compress/flate"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// maxIdleEffects bounds the room for effects that a node keeps.
const maxIdleEffects = 4096

// execute releases the lock, which the caller holds, and executes the protocol's effects in order,
// those included that its answers add. It returns an error if Run is to end.
func (n *Node) execute(ctx context.Context) error {
	for {
		effects := n.protocol.effects
		n.protocol.effects = n.executing[:0]
		n.unlock()
		if len(effects) == 0 {
			n.executing = effects
			return nil
		}
		n.record(effects)
		for i := range effects {
			if err := n.perform(ctx, &effects[i]); err != nil {
				return err
			}
		}
		clear(effects) // the state machine may drop the bodies
		if n.executing = effects; cap(effects) > maxIdleEffects {
			n.executing = nil
		}
		n.mu.Lock()
	}
}

// record gives the Recorder the entries of one step, before any of them is applied.
func (n *Node) record(effects []effect) {
	if n.options.Recorder == nil {
		return
	}
	var entries []Recorded
	for i := range effects {
		switch e := &effects[i]; e.kind {
		case effectRecord:
			entries = append(entries, e.record.recorded())
		case effectJump:
			if len(entries) > 0 {
				n.options.Recorder.Record(entries)
				entries = nil
			}
			n.options.Recorder.Jump(e.at)
		}
	}
	if len(entries) > 0 {
		n.options.Recorder.Record(entries)
	}
}

// perform executes one effect.
func (n *Node) perform(ctx context.Context, e *effect) error {
	switch e.kind {
	case effectApply, effectGone, effectBegin, effectRaise:
		if err := n.apply(e); err != nil {
			n.skipped(e, err)
		}
	case effectTakeSnapshot:
		n.takeSnapshot(e.snapshot)
	case effectRestore:
		n.restore(e.restore)
	case effectCommitted:
		n.options.Local.Committed(e.entry)
	case effectJoined:
		bodies := n.options.Local.Joined()
		n.mu.Lock()
		n.protocol.joined(time.Now(), bodies)
		n.unlock()
	case effectProvisional:
		n.options.Local.Provisional(e.entry.Body)
	case effectCutOff:
		n.options.Local.CutOff(e.cutOff)
	case effectLatency:
		n.options.Observer.OwnEntry(e.latency)
	case effectReceiveAgain:
		n.mu.Lock()
		n.receiveAgain()
		n.unlock()
	case effectCheckpoint:
		if n.options.Recorder.Due() {
			body, err := n.encode(e.snapshot)
			n.options.Recorder.Checkpoint(e.at, body, err)
		}
	case effectLoad:
		n.load(ctx)
	case effectStop:
		return fmt.Errorf("follow the log: %w", e.err)
	}
	return nil
}

// apply has the state machine apply an entry. A panic ends neither this instance nor, since all others apply the same
// entry, the whole cluster.
func (n *Node) apply(e *effect) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	switch e.kind {
	case effectGone:
		n.state.Gone(e.entry, e.instance)
	case effectBegin:
		n.state.Begin(e.entry)
	case effectRaise:
		n.state.Raise(e.entry, e.rules)
	default:
		return n.state.Apply(e.entry)
	}
	return nil
}

// skipped reports an entry that could not be applied. The program's log has one line a second of them at most.
func (n *Node) skipped(e *effect, err error) {
	now := time.Now()
	n.mu.Lock()
	n.protocol.counters.Skipped++
	skipped := n.protocol.counters.Skipped
	n.unlock()
	if now.Sub(n.skippedLoggedAt) >= time.Second {
		n.skippedLoggedAt = now
		n.options.Logger.Error("entry can't be applied, skipped", "index", e.entry.Index, "instance", e.entry.Instance,
			"epoch", e.entry.Epoch, "number", e.entry.Number, "skipped", skipped, "err", err)
	}
	if observe := n.options.Observer.Skipped; observe != nil {
		observe(e.entry, err)
	}
}

// compressors keeps what newCompressor returns, because each takes over a megabyte.
var compressors = sync.Pool{New: func() any { return newCompressor() }}

// encode encodes the state as it is behind the log state of r.
func (n *Node) encode(r *snapshotRequest) ([]byte, error) {
	w := compressors.Get().(*flate.Writer)
	defer compressors.Put(w)
	return r.encode(w, n.state.Snapshot(), n.options.MaxState)
}

func (n *Node) takeSnapshot(r *snapshotRequest) {
	encoded, err := n.encode(r)
	n.mu.Lock()
	defer n.unlock()
	n.protocol.snapshotTaken(r, encoded, err)
}

func (n *Node) restore(r *restoreRequest) {
	s, err := r.decode(n.options.Rules, n.options.MaxState)
	if err == nil {
		if err = n.state.Restore(s.State); err != nil {
			err = fmt.Errorf("restore state: %w", err)
		}
	}
	n.mu.Lock()
	defer n.unlock()
	n.protocol.restored(time.Now(), r, s, err)
}
