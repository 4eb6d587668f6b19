package backplane

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// maxSnapshots bounds those that wait to be sent, in parts, at a time.
const maxSnapshots = 4

// answer sends the state at this place.
func (n *Node) answer(asker string, epoch uint64) {
	blob, err := n.ledger.snapshot(n.state.Snapshot()).encode()
	if err == nil && len(blob) > n.options.MaxSnapshot {
		err = fmt.Errorf("%d bytes are more than the limit of %d", len(blob), n.options.MaxSnapshot)
	}
	if err != nil {
		n.options.Logger.Error("snapshot can't be sent", "instance", asker, "err", err)
		return
	}
	n.delta.Snapshots++
	n.dropSnapshots(asker)
	n.dispatchTo(dispatch{to: asker, envelope: envelope{Kind: kindChunk}, blob: blob, epoch: epoch})
}

// dropSnapshots makes room for one more snapshot: what is left of an earlier one for the same asker is of no use to it,
// and those for others are kept only up to a number.
func (n *Node) dropSnapshots(asker string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	others := 0
	n.direct = slices.DeleteFunc(n.direct, func(d *dispatch) bool {
		if d.blob == nil {
			return false
		}
		others++
		return d.to == asker || others >= maxSnapshots
	})
}

// takeChunk takes in a part of a snapshot.
func (n *Node) takeChunk(e *envelope) {
	j, c := n.join, e.Chunk
	if j == nil {
		return
	}
	j.senior = time.Now()
	if j.helloBackAt.IsZero() || c.Epoch != n.epoch {
		return
	}
	if j.chunks == nil || j.from != e.From || len(j.chunks) != int(c.Count) {
		j.from, j.chunks, j.missing, j.chunkBytes = e.From, make([][]byte, c.Count), int(c.Count), 0
	}
	if j.chunks[c.Index] != nil {
		return
	}
	if j.chunkBytes += len(c.Data); j.chunkBytes > n.options.MaxSnapshot {
		j.chunks = nil
		return
	}
	j.chunks[c.Index] = c.Data
	j.missing--
	j.progressAt = time.Now()
	if j.missing == 0 {
		blob := bytes.Join(j.chunks, nil)
		j.chunks = nil
		if err := n.joined(blob); err != nil {
			n.options.Logger.Error("snapshot can't be used", "instance", e.From, "err", err)
		}
	}
}

// joined continues with another's state.
func (n *Node) joined(blob []byte) error {
	s, err := decodeSnapshot(blob)
	if err != nil {
		return err
	}
	l := restoreLedger(s)
	r := l.records[n.instance]
	if r == nil || r.Gone || r.Epoch != n.epoch {
		return fmt.Errorf("%w: snapshot: not for this instance's epoch", errMalformed)
	}
	if err := n.state.Restore(s.State); err != nil {
		return fmt.Errorf("restore state: %w", err)
	}
	n.ledger = l
	n.enterStep(r, n.join.held, true)
	return nil
}
