package backplane

import (
	"errors"
	"testing"
)

// rejoining returns a protocol whose join request has come back.
func rejoining() *protocol {
	p := testProtocol("a")
	p.MaxBuffered, p.MaxSnapshot = 1000, 1000
	p.lost(someTime)
	p.receive(someTime, p.outgoing.request, 100)
	return p
}

func TestJoinIsRequestedAgainIfTheBufferIsFull(t *testing.T) {
	p := rejoining()
	e := &envelope{Version: 2, Kind: kindLog, From: "a", Epoch: 10, First: 2, Items: []item{{Kind: entryBody, Seq: 1}}}
	p.receive(someTime, e, 600)
	if p.join.attempt != 1 || len(p.join.buffered) != 1 {
		t.Fatalf("attempt %d has %d envelopes, want 1 and 1", p.join.attempt, len(p.join.buffered))
	}
	p.receive(someTime, e, 600)
	if p.join.attempt != 2 || len(p.join.buffered) != 0 {
		t.Errorf("attempt %d has %d envelopes, want a second attempt with none", p.join.attempt, len(p.join.buffered))
	}
}

func TestSnapshotAboveTheLimitIsNotTaken(t *testing.T) {
	for _, test := range []struct {
		size int
		want bool
	}{
		{500, true}, {501, false},
	} {
		p := rejoining()
		for index := range uint(2) {
			p.receive(someTime, &envelope{
				Version: 2,
				Kind:    kindChunk, From: "a", Epoch: 10, To: "me",
				Chunk: &chunk{Epoch: p.epochs.current, Index: index, Count: 2, Data: make([]byte, test.size)},
			}, 0)
		}
		if restores := len(p.effects) > 0; restores != test.want {
			t.Errorf("snapshot of %d bytes is restored: %v, want %v", 2*test.size, restores, test.want)
		}
	}
}

func TestSnapshotAboveTheLimitIsNotSent(t *testing.T) {
	p := testProtocol("a")
	p.MaxSnapshot = 1000
	p.snapshotTaken(&snapshotRequest{receivers: []receiver{{Instance: "a", Epoch: 20}}}, make([]byte, 1001), nil)
	if len(p.outgoing.unicasts) != 0 || len(p.records) == 0 {
		t.Errorf("%d unicasts and %d log records, want none and an error", len(p.outgoing.unicasts), len(p.records))
	}
	p.snapshotTaken(&snapshotRequest{receivers: []receiver{{Instance: "a", Epoch: 20}}}, make([]byte, 1000), nil)
	if len(p.outgoing.unicasts) != 1 {
		t.Errorf("%d unicasts, want the snapshot", len(p.outgoing.unicasts))
	}
}

// An instance must not get in sync beside members of another version, whose log it can't follow.
func TestJoiningEndsBesideAnotherVersion(t *testing.T) {
	request := func(version uint, c *control) *envelope {
		return &envelope{Version: version, Kind: kindLog, From: "a", Epoch: 20, First: 1,
			Items: []item{{Kind: entryJoinRequest, Body: c.encode()}}}
	}
	for _, test := range []struct {
		name   string
		inSync bool
		given  *envelope
		ends   bool
	}{
		{"a member of version 1", false, &envelope{Version: 1, Kind: kindLog, From: "a", Epoch: 10, First: 2, Index: 7,
			Items: []item{{Kind: entryHeartbeat}}}, true},
		{"a snapshot of version 1", false,
			&envelope{Version: 1, Kind: kindChunk, From: "a", To: "me", Epoch: 10}, true},
		{"a member of version 1, beside a cluster of this one", true, &envelope{Version: 1, Kind: kindLog, From: "a",
			Epoch: 10, First: 2, Index: 7, Items: []item{{Kind: entryHeartbeat}}}, false},
		{"an instance of version 1 that joins", false, request(1, &control{}), false},
		{"one with a state of newer rules", false, request(2, &control{Rules: 2, StateRules: 2}), true},
		{"one that knows newer rules", false, request(2, &control{Rules: 2, StateRules: 1}), false},
		{"a refusal", false, &envelope{Version: 2, Kind: kindRefusal, From: "a", To: "me", Epoch: 10,
			Refusal: &refusal{Rules: 2}}, true},
	} {
		p := rejoining()
		if test.inSync {
			p = testProtocol("a")
		}
		p.knows = 1
		if test.given.Refusal != nil {
			test.given.Refusal.Epoch = p.epochs.current
		}
		p.receive(someTime, test.given, 100)
		ends := false
		for _, e := range p.effects {
			ends = ends || e.kind == effectStop && errors.Is(e.err, ErrVersion)
		}
		if ends != test.ends {
			t.Errorf("%s ends the instance: %v, want %v", test.name, ends, test.ends)
		}
	}
}
