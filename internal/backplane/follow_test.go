package backplane

import (
	"slices"
	"testing"
	"time"
)

// testProtocol returns the protocol of an instance "me" that is in sync with the others, at someTime.
func testProtocol(others ...string) *protocol {
	var options Options
	options.setDefaults(MinBody)
	p := newProtocol(config{
		Limits: options.Limits, Timing: options.Timing, instance: "me", maxBody: MinBody, wall: options.Wall,
	})
	p.log = testLogState(append([]string{"me"}, others...)...)
	p.epochs = epochs{current: 10, start: 10}
	p.enterSync(someTime, p.log.records["me"], nil, false)
	p.joined(someTime, nil)
	p.effects = nil
	return p
}

// appendedKinds are the kinds of the entries in the outbox.
func appendedKinds(p *protocol) []uint8 {
	var kinds []uint8
	for _, o := range p.outbox.entries {
		kinds = append(kinds, o.Kind)
	}
	return kinds
}

// gone are the instances in effects that call StateMachine.Gone, oldest first.
func gone(p *protocol) []string {
	var names []string
	for _, e := range p.effects {
		if e.kind == effectGone {
			names = append(names, e.instance)
		}
	}
	return names
}

func TestEvictionIsVoidIfMoreWasAccepted(t *testing.T) {
	p := testProtocol("a", "b")
	evict := func(number, next uint64) *envelope {
		c := control{Instance: "b", Epoch: 10, Next: next}
		return &envelope{
			Version: 2,
			Kind:    kindLog, From: "a", Epoch: 10, First: number,
			Items: []item{{Kind: entryEvict, Seq: number, Body: c.encode()}},
		}
	}
	p.receive(someTime, &envelope{
		Version: 2,
		Kind:    kindLog, From: "b", Epoch: 10, First: 2, Items: []item{{Kind: entryBody, Seq: 1}},
	}, 0)
	p.receive(someTime, evict(2, 2), 0) // sealed before a had heard that
	if got := gone(p); p.log.records["b"].Gone || len(got) > 0 {
		t.Error("b is evicted though it has appended more than its evictor had heard")
	}
	p.receive(someTime, evict(3, 3), 0)
	if got := gone(p); !p.log.records["b"].Gone || !slices.Equal(got, []string{"b"}) {
		t.Errorf("gone are %q, want b", got)
	}
	p.receive(someTime, evict(4, 3), 0)
	if got := gone(p); len(got) != 1 {
		t.Errorf("gone are %q, want b once", got)
	}
}

// An instance that has left follows no further: as soon as it has, the others may follow rules that it does not know.
func TestInstanceThatHasLeftFollowsNoFurther(t *testing.T) {
	p := testProtocol("a")
	p.knows = 1
	p.log.records["a"].Rules = 2
	p.close(someTime)
	p.receive(someTime, &envelope{
		Version: 2,
		Kind:    kindLog, From: "me", Epoch: 10, First: 2, Items: []item{p.outbox.entries[0].item},
	}, 0)
	if got := gone(p); !slices.Equal(got, []string{"me"}) {
		t.Fatalf("gone are %q, want this instance", got)
	}
	raise := control{Rules: 2}
	p.receive(someTime, &envelope{
		Version: 2,
		Kind:    kindLog, From: "a", Epoch: 10, First: 2,
		Items: []item{{Kind: entryRaise, Seq: 1, Body: raise.encode()}},
	}, 0)
	for _, e := range p.effects {
		if e.kind == effectRaise {
			t.Errorf("it follows rules %d, and knows 1", e.rules)
		}
	}
	if !p.flushed() {
		t.Error("it does not end")
	}
}

func TestUnknownInstanceWithLongerLogWins(t *testing.T) {
	for _, test := range []struct {
		name   string
		index  uint64
		rejoin bool
	}{
		{"longer", 100, true},
		{"shorter", 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := testProtocol("a")
			p.log.index = 50
			p.log.records["unknown"] = &record{Instance: "unknown", Start: 10, Epoch: 10, Next: 5, Gone: true}
			e := &envelope{
				Version: 2,
				Kind:    kindLog, From: "unknown", Epoch: 10, First: 9, Items: []item{{Kind: entryHeartbeat, Seq: 8}},
				Cluster: p.log.cluster, Index: test.index, Hash: 1,
			}
			p.follow(someTime, e)
			if reason := p.consistency.rejoinReason; reason != "" {
				t.Errorf("joins again at once: %s; want the other to get the time to notice", reason)
			}
			if kinds := appendedKinds(p); len(kinds) != 1 || kinds[0] != entryCompare {
				t.Errorf("entries appended are of kinds %v, want a version vector for the other", kinds)
			}
			p.follow(someTime.Add(6*time.Second), e)
			if rejoin := p.consistency.rejoinReason != ""; rejoin != test.rejoin {
				t.Errorf("joins again: %v, want %v", rejoin, test.rejoin)
			}
		})
	}
}

func TestWaitingSnapshotsAreBounded(t *testing.T) {
	p := testProtocol("a")
	for _, requester := range []string{"a", "b", "a", "c", "d", "e", "f", "g", "h", "i", "j"} {
		to := []receiver{{Instance: requester, Epoch: 20}}
		p.snapshotTaken(&snapshotRequest{receivers: to}, []byte("snapshot"), nil)
		p.unicast(unicast{to: requester, envelope: envelope{Kind: kindMissing}})
	}
	waiting := make(map[string]int)
	for _, u := range p.outgoing.unicasts {
		if u.snapshot != nil {
			waiting[u.to]++
		}
	}
	if len(waiting) != maxSnapshots || waiting["a"] != 1 || waiting["j"] != 1 {
		t.Errorf("snapshots wait for %v, want %d at most, one each, the newest among them", waiting, maxSnapshots)
	}
	for range 2 * maxUnicasts {
		p.unicast(unicast{to: "a", envelope: envelope{Kind: kindMissing}})
	}
	if len(p.outgoing.unicasts) > maxUnicasts {
		t.Errorf("%d unicasts wait, want %d at most", len(p.outgoing.unicasts), maxUnicasts)
	}
}

// A suspicion that comes between two ticks is taken up by the second one.
func TestSuspicionIsTakenUpByTheNextTick(t *testing.T) {
	p := testProtocol("a", "b")
	p.suspect("a")
	p.tick(someTime)
	if p.membership.peers["a"].suspectedAt.IsZero() {
		t.Error("a is not suspected, want every suspicion taken up")
	}
	p.suspect("b")
	p.tick(someTime.Add(tickEvery))
	if p.membership.peers["b"].suspectedAt.IsZero() {
		t.Error("b is not suspected, want every suspicion taken up")
	}
}
