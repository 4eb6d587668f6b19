package state

import (
	"bytes"
	"fmt"
	"testing"
)

// wantGone checks that a State has nothing left of a text.
func (s *script) wantGone(text string) {
	s.t.Helper()
	if bytes.Contains(s.state.Encode(), []byte(text)) {
		s.t.Errorf("snapshot has %q", text)
	}
}

func forget(conn uint64) Command { return Command{Conn: conn, Action: &Forget{Stored: true}} }

func TestForgottenUserLeavesNothing(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("b", sayOf(2, "of Bob"))
	s.do("a", Command{Conn: 1, Action: &Rename{Name: "Anna", Key: "anna"}})
	s.do("a", Command{Conn: 1, Action: &Say{Room: "go", Text: "secret", CID: "m1", Token: Hash{1}}})
	last := s.state.Last()
	s.want("forget", s.do("a", forget(1)),
		"Anna leaves lobby; Anna leaves go; Anna freed; Anna forgotten in go 4; Anna forgotten in lobby 4")
	for _, text := range []string{"Ann", "secret", "hi"} {
		s.wantGone(text)
	}
	s.check()
	if lines, more := s.state.Room("go").Last(10, 0); len(lines) != 1 || more || lines[0].Position() != last ||
		!lines[0].Forgotten() {
		t.Errorf("lines are %+v, %v, want the forgotten message alone", lines, more)
	}
	if lines, more := s.state.Room(Lobby).Last(2, 0); len(lines) != 2 || !more || lines[0].Text != "" ||
		lines[1].Text != "of Bob" {
		t.Errorf("lines are %+v, %v, want the two messages and more", lines, more)
	}
	if !s.state.Verify(last) {
		t.Error("the position of a forgotten line is none any more")
	}
	s.want("the token is void", s.do("b", claimOf(1, "Ann")), "name_lost")
	s.at.Again = true
	s.want("a late writer", s.do("c", Command{Conn: 9, Action: &Say{Room: "go", Text: "secret", CID: "m0",
		Token: Hash{1}, From: "Ann"}}), "no_name")
	s.at.Again = false
	other := claimOf(5, "Ann")
	s.want("the name is free", s.do("b", other), "Ann at b5; Ann joins lobby")
	s.want("forgetting is nobody else's", s.do("b", forget(1)), "no_name")
	s.check()
}

// The State knows of a forgotten user until the store does not any more, and for a day.
func TestErasureIsKeptUntilItIsDone(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("a", forget(1))
	index := s.at.Index
	pending := s.state.Unerased()
	if len(pending) != 1 || pending[0].Index != index || pending[0].Through != s.state.Last().Seq {
		t.Fatalf("unerased is %+v, want the one at %d", pending, index)
	}
	ann, last := Author(Hash{1}), s.state.Last().Seq
	if !s.state.IsErased(ann, last) || s.state.IsErased(ann, last+1) || s.state.IsErased(Author(Hash{2}), 1) {
		t.Error("erased are other lines than the user's up to now")
	}
	s.at.Time += 2 * erasureMillis
	s.do("b", Command{Action: &ConfirmErased{Through: index - 1}})
	s.check()
	if len(s.state.Unerased()) != 1 || !s.state.IsForgotten(Hash{1}) {
		t.Error("an erasure is forgotten before it is done")
	}
	s.do("b", Command{Action: &ConfirmErased{Through: index}})
	if len(s.state.Unerased()) != 0 {
		t.Error("an erasure is pending after it is done")
	}
	s.do("b", sayOf(2, "later"))
	if s.state.IsForgotten(Hash{1}) || len(s.state.past.erasures.through) != 0 {
		t.Error("an erasure is known for ever")
	}
	s.check()
}

func TestFullErasuresGiveWayOnceDone(t *testing.T) {
	s := newScript(t)
	for i := range maxErasures {
		s.state.past.erasures.add(Erasure{Token: Hash{9, byte(i >> 8), byte(i)}, Time: s.at.Time, Pending: i > 0})
	}
	s.populate()
	s.do("a", forget(1))
	if s.last.Code != Accepted || len(s.state.past.erasures.all) != maxErasures || s.state.IsForgotten(Hash{9}) {
		t.Errorf("forgetting is answered %v, want the oldest erasure to give way, which is done", s.last.Code)
	}
	s.want("while the oldest is not done", s.do("b", forget(2)), "overloaded")
}

func TestRetentionDropsOldLines(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.at.Time += 1000
	s.do("b", sayOf(2, "new"))
	cut := s.at.Time
	s.do("b", Command{Action: &Retain{Before: cut}})
	for name, want := range map[string]string{Lobby: "new", "go": ""} {
		lines, _ := s.state.Room(name).Last(10, 0)
		if got := fmt.Sprint(lines); len(lines) != len(want)/3 || want != "" && lines[0].Text != want {
			t.Errorf("lines of %s are %v, want %q", name, got, want)
		}
	}
	r := s.state.Room(Lobby)
	if s.state.MayBeStored(r, r.lines[0].Seq) {
		t.Error("a store may have lines that are too old")
	}
	s.wantGone("hi")
	s.check()
	s.do("b", Command{Action: &Retain{Before: cut - 10}})
	if s.state.Retained() != cut {
		t.Error("an earlier cut-off brings back what is dropped")
	}
	s.do("b", Command{Action: &Retain{Before: cut + 1_000_000}})
	if got := s.state.Retained(); got != s.at.Time {
		t.Errorf("a cut-off in the future counts as %d, want the time of the entry, %d", got, s.at.Time)
	}
	s.check()
}
