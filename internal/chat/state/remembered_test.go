package state

import (
	"bytes"
	"fmt"
	"testing"
)

func TestRepeatedMessageIsRecordedOnce(t *testing.T) {
	s := newScript(t)
	s.populate()
	once := func(conn uint64, cid string) Command {
		return Command{Conn: conn, Action: &Say{Room: Lobby, Text: "once", CID: cid}}
	}
	s.want("said", s.do("a", once(1, "m1")), "Ann in lobby: once")
	said := s.last.At.Seq
	s.do("b", resumeOf(11, 1))
	s.want("said again elsewhere", s.do("b", once(11, "m1")), fmt.Sprint("duplicate of ", said))
	s.want("and the first one comes again", s.do("a", once(1, "m1")), fmt.Sprint("duplicate of ", said))
	s.want("another user's id is another", s.do("b", once(2, "m1")), "Bob in lobby: once")
	s.check()
}

// say has a user say a message with an id, and reports whether that is recorded.
func (s *script) say(conn uint64, cid string) bool {
	s.t.Helper()
	s.do("a", Command{Conn: conn, Action: &Say{Room: Lobby, Text: "x", CID: cid}})
	if s.last.Code != Accepted {
		s.t.Fatalf("message %s of socket %d is refused as %v", cid, conn, s.last.Code)
	}
	return !s.last.Duplicate
}

// remembers returns which of a user's messages n0, n1, ... are remembered, without changing the state.
func (s *script) remembers(user byte, count int) (known []int) {
	for n := range count {
		if _, ok := s.state.SaidAt(Hash{user}, fmt.Sprint("n", n)); ok {
			known = append(known, n)
		}
	}
	return known
}

// Eight thousand messages in eight seconds: what counts is the time, not their number.
func TestMessageIsRememberedForATime(t *testing.T) {
	s := newScript(t)
	s.state = New(Bounds{})
	for conn := range uint64(100) {
		s.do("a", claimOf(conn+1, fmt.Sprint("User ", conn)))
	}
	s.say(1, "once")
	for n := range 20_000 {
		s.say(uint64(2+n%99), fmt.Sprint(n))
	}
	s.at.Time += s.state.bounds.RecoveryMillis
	if s.say(1, "once") {
		t.Error("message is recorded again within the time in which its user may return")
	}
	s.at.Time += s.state.bounds.RememberedMillis
	if !s.say(1, "once") {
		t.Error("message is remembered for ever")
	}
	if n := len(s.state.said.byKey); n != 1 {
		t.Errorf("%d messages are remembered after a long time, want the one", n)
	}
	s.check()
}

// A user that has lost its connection may be back at any time, and its client sends again what was not acknowledged.
func TestMessageIsRememberedWhileItsUserMayReturn(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.say(1, "n0")
	s.do("a", disconnect(1, 10*60_000))
	step := func(millis int64) {
		for range 4 {
			s.at.Time += millis / 4
			s.do("b", sayOf(2, "hello"))
		}
	}
	step(9 * 60_000)
	s.do("b", resumeOf(5, 1))
	again := s.do("b", Command{Conn: 5, Action: &Say{Room: Lobby, Text: "x", CID: "n0"}})
	if !s.last.Duplicate {
		t.Errorf("message sent again after nine minutes: %s, want a duplicate", again)
	}
	s.check()
	step(2 * s.state.bounds.RememberedMillis)
	if known := s.remembers(1, 1); len(known) != 0 {
		t.Errorf("messages %v of a connected user are remembered after a long time", known)
	}
	s.do("b", Command{Conn: 2, Action: &Say{Room: Lobby, Text: "x", CID: "n0"}})
	s.do("b", Command{Conn: 2, Action: &LeaveChat{}})
	s.do("b", claimOf(6, "Cid"))
	if known := s.remembers(2, 1); len(known) != 1 {
		t.Error("the message of a user that has left is forgotten at once: its instance could not acknowledge it")
	}
	s.at.Time += s.state.bounds.RememberedMillis + 1
	s.do("b", sayOf(6, "hello"))
	if known := s.remembers(2, 1); len(known) != 0 {
		t.Error("the message of a user that has left is never forgotten")
	}
	s.check()
}

// A user that says much has only its own messages forgotten.
func TestRememberedMessagesAreBoundedByBytes(t *testing.T) {
	s := newScript(t)
	const fit = 20
	s.state = New(Bounds{RememberedBytes: fit*messageCost + 2*sayerCost})
	s.do("a", claimOf(1, "Ann"))
	s.do("a", claimOf(2, "Bob"))
	for n := range 5 {
		s.say(1, fmt.Sprint("n", n))
	}
	for n := range 100 {
		s.say(2, fmt.Sprint("n", n))
		if bytes := s.state.said.bytes(); bytes > s.state.bounds.RememberedBytes {
			t.Fatalf("%d bytes are remembered, want %d at most", bytes, s.state.bounds.RememberedBytes)
		}
	}
	if known := s.remembers(1, 5); len(known) != 5 {
		t.Errorf("of Ann's 5 messages %v are remembered, want all", known)
	}
	if known := s.remembers(2, 100); len(known) != fit-5 || known[0] != 100-(fit-5) {
		t.Errorf("of Bob's 100 messages %v are remembered, want the last %d", known, fit-5)
	}
	s.check()
	// The latest message is remembered even if everybody else has as few.
	s.state = New(Bounds{RememberedBytes: messageCost})
	s.do("a", claimOf(2, "Bob"))
	s.do("a", claimOf(1, "Ann"))
	for n := range 4 {
		s.say(uint64(2-n%2), "n0")
		if known := s.remembers(byte(2-n%2), 1); len(known) != 1 {
			t.Errorf("the message just said by %d is not remembered", 2-n%2)
		}
	}
}

// A State and the one that is decoded from its snapshot go on alike.
func TestRestoredStateGoesOnAlike(t *testing.T) {
	for seed := range uint64(20) {
		w := newWalk(t, seed)
		for range 100 {
			w.step()
		}
		restored, err := Decode(w.state.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for step := range 100 {
			w.at.Time += w.random.Int64N(3000)
			c := Command{Conn: 1 + w.n(4), Action: w.action()}
			w.do(w.instance(), c)
			_, _, _ = restored.Apply(w.at, &c) // the same as of the original
			if !bytes.Equal(restored.Encode(), w.state.Encode()) {
				t.Fatalf("seed %d: the states differ %d entries after the snapshot, at %T", seed, step, c.Action)
			}
		}
	}
}
