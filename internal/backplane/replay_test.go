package backplane

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// Instances that all have ended started again and asked for a snapshot several times, because the store could not be
// read. Their requests are in the archive.
func TestReplayFollowsRepeatedJoinRequests(t *testing.T) {
	n := &Node{protocol: newProtocol(config{instance: "c"})}
	r := n.newReplay()
	r.protocol.log = newLogState(clusterID{Stamp: 1, Founder: "a"}, 1)
	var bodies [][]byte
	for attempt, from := range []string{"a", "b", "a"} {
		request := control{Start: 5, Attempt: uint64(attempt) + 1, Reads: newestVersion, Rules: 1}
		e := &envelope{Version: oldestVersion, Needs: requestNeeds, Kind: kindLog, From: from,
			Epoch: 5 + uint64(attempt), First: 1, Items: []item{{Kind: entryJoinRequest, Body: request.encode()}}}
		body, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	useless, err := r.Messages(bodies)
	if err != nil || useless > 0 {
		t.Fatalf("Messages = %d, %v, want all of use", useless, err)
	}
	if at := r.Position().Last().Index; at != 3 {
		t.Errorf("log index is %d, want 3", at)
	}
}

// loader is a Recorder that can only load, and machine a StateMachine that notes which rules it was told to follow.
type (
	loader struct {
		Recorder
		load func(*Replay) error
	}
	machine struct {
		StateMachine
		rules []uint64
	}
)

func (l *loader) Load(_ context.Context, r *Replay) error { return l.load(r) }
func (l *loader) Record([]Recorded)                       {}
func (m *machine) Raise(_ Entry, rules uint64)            { m.rules = append(m.rules, rules) }

// A newer build has raised the rules behind the last checkpoint, or behind all that is stored. An older one that starts
// from there ends with an error, and does not hand its state machine rules that this does not know.
func TestOlderBuildEndsAtRaisedRules(t *testing.T) {
	raise := item{Kind: entryRaise, Seq: 2, Body: (&control{Rules: 2}).encode()}
	for _, test := range []struct {
		name  string
		knows uint64
		load  func(r *Replay) error
	}{
		{"an entry raises them", 1, func(r *Replay) error {
			kept := acceptedEntry{storedEntry: storedEntry{Version: storedVersion, From: "a", Epoch: 5, Number: 2,
				Kind: raise.Kind, Seq: raise.Seq, Body: raise.Body}}
			return r.Entry(1, kept.recorded().Body)
		}},
		{"a message raises them", 1, func(r *Replay) error {
			e := &envelope{Version: oldestVersion, Needs: oldestVersion, Kind: kindLog, From: "a", Epoch: 5, First: 2,
				Items: []item{raise}}
			body, err := e.encode()
			if err == nil {
				_, err = r.Messages([][]byte{body})
			}
			return err
		}},
		{"the newer build", 2, func(r *Replay) error { return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &machine{}
			n := &Node{state: m, protocol: newProtocol(config{instance: "c", knows: test.knows, recording: true,
				wall: func(now time.Time) time.Time { return now }})}
			n.options.Rules, n.options.Logger = test.knows, slog.New(slog.DiscardHandler)
			n.options.Recorder = &loader{load: func(r *Replay) error {
				r.protocol.log = newLogState(clusterID{Stamp: 1, Founder: "a"}, 1)
				r.protocol.log.records["a"] = &record{Instance: "a", Start: 5, Epoch: 5, Next: 2, Rules: 2}
				return test.load(r)
			}}
			n.protocol.start(someTime, true)
			n.protocol.effects = nil
			n.load(t.Context())
			var stop error
			for _, e := range n.protocol.effects {
				if e.kind == effectStop {
					stop = e.err
				}
			}
			if ends := errors.Is(stop, ErrVersion); ends != (test.knows < 2) || len(m.rules) > 0 {
				t.Errorf("it ends by %v, its state machine was told to follow %d", stop, m.rules)
			}
		})
	}
}
