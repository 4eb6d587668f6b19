package backplane

import (
	"cmp"
	"time"
)

// foundAfter is how long nobody may be heard before this instance founds the cluster.
func (n *Node) foundAfter() time.Duration { return max(n.options.FoundAfter, 3*n.join.roundTrip) }

// otherHello is called when another instance that is out of step, too, says hello. Who has followed the log further,
// or at all, is the one to found.
func (n *Node) otherHello(it *item, now time.Time) {
	j := n.join
	ask, err := decodeControl(it.Body)
	if err != nil {
		return
	}
	order := ask.compareState(n.ledger)
	if order < 0 || order == 0 && it.Kind == entryAsk {
		return
	}
	if it.Kind == entryFound && !j.helloBackAt.IsZero() && !n.seniorHeard(now) {
		j.progressAt = time.Time{} // there is somebody to answer now
	}
	j.senior = now
}

// compareState tells whether the asker has less (negative) or more (positive) of the log than l, which is nil for nothing.
func (c *control) compareState(l *ledger) int {
	switch {
	case l == nil:
		return cmp.Compare(c.Place, 0)
	case c.Place == 0 || c.Cluster != l.cluster && l.cluster.olderThan(c.Cluster):
		return -1
	case c.Cluster != l.cluster:
		return 1
	}
	return cmp.Compare(c.Place, l.place)
}

func (n *Node) seniorHeard(now time.Time) bool {
	heard := n.join.senior
	return !heard.IsZero() && now.Sub(heard) < n.foundAfter()
}

// found begins the log anew at this place, with the state that this instance has.
func (n *Node) found(e *envelope) {
	ask, err := decodeControl(e.Items[0].Body)
	if err != nil {
		panic(err) // its own
	}
	if n.ledger == nil {
		n.ledger = newLedger(clusterID{Stamp: n.epoch, Founder: n.instance})
	}
	for _, r := range n.ledger.records {
		r.InStep = false // whoever is, will say so again
	}
	a, ok := n.ledger.admit(n.instance, n.epoch, ask)
	if !ok {
		n.startJoining(entryFound, n.join.attempt+1, n.join.because)
		return
	}
	a.InStep = true
	n.ledger.endEnvelope()
	n.options.Logger.Info("founded the cluster: nobody answered", "instance", n.instance)
	n.enterStep(a.record, nil, false)
}
