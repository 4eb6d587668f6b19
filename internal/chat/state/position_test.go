package state

import (
	"strings"
	"testing"
)

func TestPositionsAreParsedAsPrinted(t *testing.T) {
	for _, p := range []Position{{}, {Seq: 1, Check: 2}, {Log: 3, Seq: 1 << 60, Check: 1 << 31},
		{Log: 1<<32 - 1, Seq: 1<<64 - 1, Check: 1<<32 - 1}} {
		if got, err := ParsePosition(p.String()); err != nil || got != p {
			t.Errorf("ParsePosition(%q) = %v, %v, want %v", p, got, err, p)
		}
	}
	for _, text := range []string{"", "1", "..", "1.2", "1.2.", ".1.2", "1..2", "1.2.3.4", "1.-1.2", "1.1.A",
		"1.01.2", "1.1.3w5e11264sgsg", "1z141z4.1.1", "0.3w5e11264sgsg.0", "1." + strings.Repeat("1", 40) + ".1"} {
		if p, err := ParsePosition(text); err == nil {
			t.Errorf("ParsePosition(%q) = %v, want an error", text, p)
		}
	}
}

// An instance that applies entries in another order gives their numbers to other lines.
func TestPositionOfAnotherOrderIsRecognized(t *testing.T) {
	s := newScript(t)
	s.populate()
	shared, before := s.state.log.last, s.state.Encode()
	s.do("a", sayOf(1, "lost"))
	lost := s.state.log.last
	fork, err := Decode(before)
	if err != nil {
		t.Fatal(err)
	}
	s.state = fork
	s.do("b", sayOf(2, "instead"))
	if s.state.log.last.Seq != lost.Seq {
		t.Fatalf("line in the fork has number %d, want that of the lost one, %d", s.state.log.last.Seq, lost.Seq)
	}
	s.do("b", sayOf(2, "and on"))
	if missed, ok := s.state.MissedBy([]string{Lobby}, lost); ok {
		t.Errorf("MissedBy of a line of the other branch = %d lines, true, want false", len(missed))
	}
	if missed, ok := s.state.MissedBy([]string{Lobby}, shared); !ok || len(missed) != 2 {
		t.Errorf("MissedBy of the last line before the fork = %d lines, %v, want 2, true", len(missed), ok)
	}
}

// begin makes the script's instances follow another log from now on.
func (s *script) begin(founder string) {
	s.at.Instance, s.at.Number, s.at.Epoch = founder, s.at.Number+1, s.at.Epoch+1
	s.state.Begin(s.at)
}

// fork returns a script that goes on with the same State.
func (s *script) fork() *script {
	s.t.Helper()
	again, err := Decode(s.state.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	return &script{t: s.t, state: again, at: s.at}
}

// known checks whether a position counts as one of the log.
func (s *script) known(why string, p Position, want bool) {
	s.t.Helper()
	if got := s.state.Verify(p); got != want {
		s.t.Errorf("%s: Verify(%v) = %v, want %v", why, p, got, want)
	}
	rooms := []string{Lobby}
	if _, whole := s.state.MissedBy(rooms, p); whole != want {
		s.t.Errorf("%s: MissedBy(%v, %v) is whole: %v, want %v", why, rooms, p, whole, want)
	}
}

// A cluster that restarts gives the same numbers, and drops lines: neither makes it believe an earlier log's offset.
func TestPositionOfAnEarlierLogIsNotBelieved(t *testing.T) {
	before := newScript(t)
	before.begin("a")
	before.populate()
	after := newScript(t)
	after.begin("b")
	after.do("b", claimOf(1, "Eve"))
	after.do("b", Command{Conn: 1, Action: &Join{Room: "new", RoomLimit: 3}})
	for range 20 {
		after.do("b", sayOf(1, "line")) // so that its lines were dropped
	}
	after.known("of the earlier log", before.state.Last(), false)
	far := Position{Log: before.state.Last().Log, Seq: 1000, Check: 1}
	after.known("ahead, in the earlier log", far, false)
	if after.state.Ahead(far) {
		t.Error("a position of the earlier log counts as ahead of this one")
	}
	if far.Log = after.state.Last().Log; !after.state.Ahead(far) {
		t.Error("a position that this log has not reached is not ahead")
	}
}

// Two instances that go on with one State begin logs of their own. What both have in common stays valid.
func TestPositionsStayValidUpToTheBranch(t *testing.T) {
	root := newScript(t)
	root.begin("a")
	root.populate()
	common := root.state.Last()
	left, right := root.fork(), root.fork()
	root.do("a", sayOf(1, "behind the branch"))
	left.begin("a")
	right.begin("b")
	left.do("a", sayOf(1, "left"))
	right.do("b", sayOf(2, "right"))
	ofLeft, ofRight := left.state.Last(), right.state.Last()
	if ofLeft.Log == ofRight.Log || ofLeft.Log == common.Log {
		t.Errorf("logs are %d and %d, begun from %d, want three", ofLeft.Log, ofRight.Log, common.Log)
	}
	for _, s := range []*script{left, right} {
		s.known("in common", common, true)
		s.known("of the parent, behind the branch", root.state.Last(), false)
	}
	left.known("own", ofLeft, true)
	left.known("of the other branch", ofRight, false)
	right.known("of the other branch", ofLeft, false)

	grown := left.fork()
	grown.begin("c")
	grown.do("c", claimOf(3, "Cid"))
	grown.known("of the parent's parent", common, true)
	grown.known("of the parent", ofLeft, true)
	grown.known("of the other branch", ofRight, false)
	for range 20 {
		grown.do("c", sayOf(3, "line"))
	}
	if grown.state.Verify(ofRight) || !grown.state.Verify(ofLeft) {
		t.Error("once its lines are dropped, a log tells a parent's positions from another branch's no more")
	}
	grown.check()
}

func TestOldestParentsAreForgotten(t *testing.T) {
	s := newScript(t)
	s.begin("a")
	s.populate()
	first := s.state.Last()
	for range maxParents + 1 {
		s.begin("a")
		s.do("a", sayOf(1, "x"))
	}
	s.known("of the oldest log", first, false)
	s.check()
}
