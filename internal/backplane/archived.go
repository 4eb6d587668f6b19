package backplane

import "errors"

// Archived is a message of the bus, as far as Node.Settled needs it.
type Archived struct{ batches []archivedBatch }

// archivedBatch names the entries of one batch.
type archivedBatch struct {
	from         string
	epoch, first uint64
	next         uint64 // number behind the last one
}

// DecodeArchived decodes a body that was published. It returns an error for one that is of no use to anybody.
func DecodeArchived(body []byte) (*Archived, error) {
	e, err := decodeEnvelope(body)
	if err != nil {
		return nil, err
	}
	a := new(Archived)
	add := func(e *envelope) {
		a.batches = append(a.batches, archivedBatch{e.From, e.Epoch, e.First, e.First + uint64(len(e.Items))})
	}
	switch e.Kind {
	case kindLog:
		add(e)
	case kindCombined:
		for _, part := range e.parts {
			add(part)
		}
	}
	return a, nil
}

// ErrOutOfSync is returned where only an instance in sync knows the answer.
var ErrOutOfSync = errors.New("backplane: this instance is out of sync")

// Settled reports whether the log has passed a message: each of its entries is accepted, or never will be. If so, it
// returns the log index at which all that it led to is. An error says that this instance can't tell at present.
func (n *Node) Settled(a *Archived) (index uint64, settled bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.protocol
	if p.join != nil || p.log == nil {
		return 0, false, ErrOutOfSync
	}
	for _, b := range a.batches {
		if !p.log.passed(b) {
			return 0, false, nil
		}
	}
	return p.log.index, true, nil
}

// passed reports whether the log has passed a batch.
func (l *logState) passed(b archivedBatch) bool {
	r := l.records[b.from]
	switch {
	case r == nil || b.epoch > r.Epoch:
		return false // its instance is about to join, or was forgotten
	case b.epoch < r.Epoch || r.Gone:
		return true
	}
	return r.Next >= b.next
}
