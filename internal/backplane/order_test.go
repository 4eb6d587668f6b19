package backplane

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// fakeBus takes everything and delivers nothing.
type fakeBus struct{}

func (fakeBus) Instance() string                       { return "me" }
func (fakeBus) MaxBody() int                           { return MinBody }
func (fakeBus) Publish(context.Context, Message) error { return nil }
func (fakeBus) Receive(ctx context.Context, _ func([]byte) error) error {
	<-ctx.Done()
	return ctx.Err()
}

type fakeState struct{ gone []string }

func (s *fakeState) Apply(Entry)                   {}
func (s *fakeState) Gone(_ Entry, instance string) { s.gone = append(s.gone, instance) }
func (s *fakeState) Snapshot() []byte              { return nil }
func (s *fakeState) Restore([]byte) error          { return nil }

// inStep returns a node that is in step with the others, without running it.
func inStep(others ...string) (*Node, *fakeState) {
	state := new(fakeState)
	n := New(fakeBus{}, state, Options{})
	n.ledger = testLedger(append([]string{"me"}, others...)...)
	n.epoch, n.start = 10, 10
	n.enterStep(n.ledger.records["me"], nil, false)
	return n, state
}

// waitingKinds are the kinds of the entries in the outbox.
func waitingKinds(n *Node) []uint8 {
	var kinds []uint8
	for _, o := range n.out.entries {
		kinds = append(kinds, o.Kind)
	}
	return kinds
}

func TestEvictionIsVoidIfMoreWasSaid(t *testing.T) {
	n, state := inStep("a", "b")
	said := &envelope{Kind: kindLog, From: "b", Epoch: 10, First: 2, Items: []item{{Kind: entryBody, Seq: 1}}}
	evict := func(number, next uint64) *envelope {
		c := control{Instance: "b", Epoch: 10, Next: next}
		return &envelope{Kind: kindLog, From: "a", Epoch: 10, First: number, Items: []item{{Kind: entryEvict, Seq: number, Body: c.encode()}}}
	}
	n.follow(said)
	n.follow(evict(2, 2)) // sealed before a had heard that
	if n.ledger.records["b"].Gone || len(state.gone) > 0 {
		t.Error("b is evicted though it has said more than its evictor had heard")
	}
	n.follow(evict(3, 3))
	if !n.ledger.records["b"].Gone || len(state.gone) != 1 {
		t.Errorf("gone are %q, want b", state.gone)
	}
	n.follow(evict(4, 3))
	if len(state.gone) != 1 {
		t.Errorf("gone are %q, want b once", state.gone)
	}
}

func TestStrangerWithMoreOfTheLogWins(t *testing.T) {
	for _, test := range []struct {
		name  string
		place uint64
		out   bool
	}{
		{"more", 100, true},
		{"less", 1, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, _ := inStep("a")
			n.ledger.place = 50
			n.ledger.records["stranger"] = &record{Instance: "stranger", Start: 10, Epoch: 10, Next: 5, Gone: true}
			says := &envelope{
				Kind: kindLog, From: "stranger", Epoch: 10, First: 9, Items: []item{{Kind: entryBeat, Seq: 8}},
				Cluster: n.ledger.cluster, Place: test.place, Hash: 1,
			}
			n.follow(says)
			if n.outBecause != "" {
				t.Errorf("%s: steps out at once: %s; want the stranger to be given the time to notice", test.name, n.outBecause)
			}
			if kinds := waitingKinds(n); len(kinds) != 1 || kinds[0] != entryCompare {
				t.Errorf("%s: entries appended are of kinds %v, want a compare that tells the stranger", test.name, kinds)
			}
			time.Sleep(6 * time.Second)
			n.follow(says)
			if out := n.outBecause != ""; out != test.out {
				t.Errorf("%s: steps out: %v, want %v", test.name, out, test.out)
			}
		})
	}
}

func TestSnapshotsThatWaitAreBounded(t *testing.T) {
	n, _ := inStep("a")
	for _, asker := range []string{"a", "b", "a", "c", "d", "e", "f"} {
		n.answer(asker, 20)
		n.dispatchTo(dispatch{to: asker, envelope: envelope{Kind: kindMissing}})
	}
	waiting := make(map[string]int)
	for _, d := range n.direct {
		if d.blob != nil {
			waiting[d.to]++
		}
	}
	if len(waiting) != maxSnapshots || waiting["a"] != 1 || waiting["f"] != 1 {
		t.Errorf("snapshots wait for %v, want %d at most, one each, the newest among them", waiting, maxSnapshots)
	}
	for range 2 * maxDirect {
		n.dispatchTo(dispatch{to: "a", envelope: envelope{Kind: kindMissing}})
	}
	if len(n.direct) > maxDirect {
		t.Errorf("%d dispatches wait, want %d at most", len(n.direct), maxDirect)
	}
}
