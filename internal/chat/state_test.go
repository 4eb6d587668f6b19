package chat

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func smallBounds() Bounds {
	return Bounds{RoomLines: 10, HistoryBytes: 4096, Rooms: 4, Users: 20, Remembered: 5, Lapsed: 3, Recovery: time.Minute}
}

// script drives a state, and tells what happened in words.
type script struct {
	t     testing.TB
	state *state
	at    Entry
	last  outcome
}

func newScript(t testing.TB) *script {
	return &script{t: t, state: newState(smallBounds()), at: Entry{Epoch: 1, Time: 1_000_000}}
}

// do applies a command of an instance and returns what changed.
func (s *script) do(instance string, c command) string {
	s.t.Helper()
	s.at.Instance, s.at.Number, s.at.Time = instance, s.at.Number+1, s.at.Time+1
	o, changes := s.state.apply(s.at, &c)
	s.last = o
	return describe(o, changes)
}

func (s *script) gone(instance string) string {
	s.at.Number++
	return describe(outcome{}, s.state.gone(s.at, instance))
}

func (s *script) want(why, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %q, want %q", why, got, want)
	}
}

func describe(o outcome, changes []change) string {
	var parts []string
	if o.code != accepted {
		parts = append(parts, refusals[o.code].Code)
	}
	if o.duplicate {
		parts = append(parts, fmt.Sprint("duplicate of ", o.at.Seq))
	}
	for _, c := range changes {
		name := c.user.name.name
		switch c.kind {
		case spoke:
			parts = append(parts, fmt.Sprintf("%s in %s: %s", name, c.room, c.line.Text))
		case joined:
			parts = append(parts, fmt.Sprintf("%s joins %s", name, c.room))
		case left:
			parts = append(parts, fmt.Sprintf("%s leaves %s", name, c.room))
		case renamed:
			parts = append(parts, fmt.Sprintf("%s is %s in %s", c.line.Was, name, c.room))
		case bound:
			part := fmt.Sprintf("%s at %s%d", name, c.user.at().Instance, c.user.at().Conn)
			if c.old != (session{}) {
				part += fmt.Sprintf(" not %s%d", c.old.Instance, c.old.Conn)
			}
			parts = append(parts, part)
		case away:
			parts = append(parts, name+" away")
		case orphaned:
			parts = append(parts, name+" orphaned")
		case back:
			parts = append(parts, name+" back")
		case typed:
			parts = append(parts, fmt.Sprintf("%s types in %s %v", name, c.room, c.on))
		case freed:
			parts = append(parts, name+" freed")
		}
	}
	return strings.Join(parts, "; ")
}

// check holds the state against what must always be so.
func (s *script) check() {
	s.t.Helper()
	encoded := s.state.encode()
	again, err := decodeState(encoded)
	if err != nil {
		s.t.Fatalf("decodeState of a state's own snapshot: %v", err)
	}
	if !bytes.Equal(again.encode(), encoded) {
		s.t.Error("snapshot of a restored state differs from the one it was restored from")
	}
	if again.bytes != s.state.bytes {
		s.t.Errorf("bytes of history = %d, counted anew %d", s.state.bytes, again.bytes)
	}
	if len(again.bySession) != len(s.state.bySession) || len(again.byToken) != len(s.state.byToken) ||
		len(again.byPage) != len(s.state.byPage) || len(again.byKey) != len(s.state.byKey) {
		s.t.Errorf("indexes of the state and of the same restored differ: sessions %d, %d, tokens %d, %d, pages %d, %d, names %d, %d",
			len(s.state.bySession), len(again.bySession), len(s.state.byToken), len(again.byToken),
			len(s.state.byPage), len(again.byPage), len(s.state.byKey), len(again.byKey))
	}
	for name, r := range s.state.rooms {
		if len(r.members) != len(again.rooms[name].members) {
			s.t.Errorf("room %q has %d members, of the users' rooms %d", name, len(r.members), len(again.rooms[name].members))
		}
	}
}

func claimOf(conn uint64, name string) command {
	return command{Kind: claimName, Conn: conn, Name: name, Key: strings.ToLower(name), Token: hash{byte(conn)},
		Page: hash{1, byte(conn)}, SID: fmt.Sprint("sid", conn), Hold: 30_000, Limit: 3}
}

func resumeOf(conn, token uint64) command {
	return command{Kind: claimName, Conn: conn, Token: hash{byte(token)}, Page: hash{1, byte(conn)}, Hold: 30_000, Limit: 3}
}

func sayOf(conn uint64, text string) command {
	return command{Kind: say, Conn: conn, Room: lobby, Text: text}
}

func (s *script) populate() {
	s.do("a", claimOf(1, "Ann"))
	s.do("b", claimOf(2, "Bob"))
	s.do("a", command{Kind: joinRoom, Conn: 1, Room: "go", Limit: 3})
	s.do("a", sayOf(1, "hi"))
}

func TestClaims(t *testing.T) {
	s := newScript(t)
	s.want("first claim", s.do("a", claimOf(1, "Ann")), "Ann at a1; Ann joins lobby")
	s.want("same name elsewhere", s.do("b", claimOf(2, "ANN")), "name_taken")
	variant := claimOf(2, "ANN")
	variant.Variant = true
	s.want("or a variant of it", s.do("b", variant), "ANN 2 at b2; ANN 2 joins lobby")
	variant = claimOf(3, "ann")
	variant.Variant = true
	s.want("the next one", s.do("b", variant), "ann 3 at b3; ann 3 joins lobby")
	again := claimOf(1, "Anna")
	again.Token = hash{99}
	s.want("a second claim of a session renames", s.do("a", again), "Ann is Anna in lobby")
	s.want("the old name is free", s.do("b", claimOf(4, "ann")), "ann at b4; ann joins lobby")
	s.want("rename to a taken name", s.do("a", command{Kind: renameUser, Conn: 1, Name: "Ann", Key: "ann"}), "name_taken")
	s.want("rename in another case", s.do("a", command{Kind: renameUser, Conn: 1, Name: "ANNA", Key: "anna"}), "Anna is ANNA in lobby")
	s.want("leaving frees", s.do("a", command{Kind: leaveChat, Conn: 1}), "ANNA leaves lobby; ANNA freed")
	s.want("leaving twice", s.do("a", command{Kind: leaveChat, Conn: 1}), "no_name")
	s.want("rename without a name", s.do("a", command{Kind: renameUser, Conn: 1, Name: "X", Key: "x"}), "no_name")
	s.want("who has left has no way back", s.do("c", resumeOf(9, 1)), "name_lost")
	s.check()
	for i := range uint64(17) {
		s.do("a", claimOf(100+i, fmt.Sprint("n", i)))
	}
	s.want("too many users", s.do("a", claimOf(150, "Zoe")), "overloaded")
	s.check()
}

func TestReturns(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.want("lost", s.do("a", command{Kind: dropUser, Conn: 1, Hold: 30_000}), "Ann away")
	s.want("his name is kept", s.do("b", claimOf(7, "ann")), "name_taken")
	s.want("lost twice", s.do("a", command{Kind: dropUser, Conn: 1, Hold: 30_000}), "no_name")
	gen := s.state.byKey["ann"].gen
	s.want("back elsewhere", s.do("c", resumeOf(3, 1)), "Ann at c3; Ann back")
	s.want("too late to expire", s.do("a", command{Kind: expireUser, Users: []stamp{{User: s.state.byKey["ann"].id, Gen: gen}}}), "")
	s.want("his old session's message", s.do("a", sayOf(1, "under way")), "Ann in lobby: under way")
	s.want("but not its end", s.do("a", command{Kind: leaveChat, Conn: 1}), "no_name")
	s.want("taken over while connected", s.do("b", resumeOf(4, 1)), "Ann at b4 not c3")
	s.want("its end does not count any more", s.do("c", command{Kind: dropUser, Conn: 3, Hold: 30_000}), "no_name")
	rename := resumeOf(4, 1)
	rename.Name, rename.Key = "Bob", "bob"
	s.want("back with a name that is another's", s.do("c", rename), "name_taken")
	rename.Name, rename.Key = "Anna", "anna"
	s.want("back with a new name", s.do("c", rename), "Anna at c4 not b4; Ann is Anna in lobby; Ann is Anna in go")
	s.check()
}

// A claim that was long under way does not take a user from the socket he has connected by since.
func TestStaleClaims(t *testing.T) {
	s := newScript(t)
	s.populate()
	born := func(conn, born uint64) command {
		c := resumeOf(conn, 1)
		c.Born = born
		return c
	}
	s.want("back at b", s.do("b", born(5, 100)), "Ann at b5 not a1")
	s.want("overtaken", s.do("c", born(6, 50)), "")
	if !s.last.stale {
		t.Error("overtaken claim is not stale")
	}
	s.want("what was said there counts", s.do("c", sayOf(6, "hi")), "Ann in lobby: hi")
	s.want("its end does not", s.do("c", command{Kind: dropUser, Conn: 6, Hold: 30_000}), "no_name")
	s.want("lost", s.do("b", command{Kind: dropUser, Conn: 5, Hold: 30_000}), "Ann away")
	s.want("now it may", s.do("c", born(6, 50)), "Ann at c6; Ann back")
	s.want("claimed once more", s.do("c", born(6, 50)), "Ann at c6 not c6")
	s.check()
	for conn := range uint64(10) {
		s.do("d", born(20+conn, 10))
	}
	s.want("many of them do not push out the present one", s.do("c", sayOf(6, "hi")), "Ann in lobby: hi")
	s.check()
}

func TestLapses(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("a", command{Kind: dropUser, Conn: 1, Hold: 30_000})
	ann := s.state.byKey["ann"]
	expire := command{Kind: expireUser, Users: []stamp{{User: ann.id, Gen: ann.gen}}}
	s.want("nobody came", s.do("b", expire), "Ann leaves lobby; Ann leaves go; Ann freed")
	s.want("told once", s.do("c", expire), "")
	s.want("he may still come back", s.do("b", resumeOf(5, 1)), "Ann at b5; Ann joins lobby; Ann joins go")
	if again := s.state.byKey["ann"]; again.id != ann.id {
		t.Errorf("user who came back has id %d, want %d", again.id, ann.id)
	}
	s.check()

	s.do("b", command{Kind: dropUser, Conn: 5, Hold: 0})
	s.want("name is free at once without a hold", s.do("c", claimOf(6, "Ann")), "Ann at c6; Ann joins lobby")
	s.want("and then gone", s.do("b", resumeOf(7, 1)), "name_lost")
	s.check()
	s.do("c", command{Kind: leaveChat, Conn: 6})
	s.at.Time += 61_000
	s.want("too late", s.do("b", resumeOf(8, 1)), "name_lost")
	s.check()
}

func TestGoneInstance(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("a", claimOf(3, "Cid"))
	s.do("a", command{Kind: dropUser, Conn: 3, Hold: 5000})
	s.want("all of it, in order of joining", s.gone("a"), "Ann away; Cid orphaned")
	s.want("once", s.gone("a"), "")
	cid := s.state.byKey["cid"]
	s.want("any instance expires", s.do("b", command{Kind: expireUser, Users: []stamp{{User: cid.id, Gen: cid.gen}}}), "Cid leaves lobby; Cid freed")
	s.want("and who comes back is back", s.do("b", resumeOf(9, 1)), "Ann at b9; Ann back")
	s.check()
}

func TestRooms(t *testing.T) {
	s := newScript(t)
	s.populate()
	join := func(conn uint64, room string) command {
		return command{Kind: joinRoom, Conn: conn, Room: room, Limit: 3}
	}
	s.want("join", s.do("b", join(2, "go")), "Bob joins go")
	s.want("join again", s.do("b", join(2, "go")), "")
	s.want("third room", s.do("b", join(2, "c")), "Bob joins c")
	s.want("one too many for him", s.do("b", join(2, "d")), "too_many_rooms")
	s.want("leave", s.do("b", command{Kind: leaveRoom, Conn: 2, Room: "c"}), "Bob leaves c")
	s.want("leave again", s.do("b", command{Kind: leaveRoom, Conn: 2, Room: "c"}), "not_in_room")
	s.want("leave the lobby", s.do("b", command{Kind: leaveRoom, Conn: 2, Room: lobby}), "not_in_room")
	s.want("speak where one is not", s.do("b", command{Kind: say, Conn: 2, Room: "c", Text: "x"}), "not_in_room")
	s.want("type where one is not", s.do("b", command{Kind: typing, Conn: 2, Room: "c", On: true}), "no_name")
	s.want("type", s.do("b", command{Kind: typing, Conn: 2, Room: "go", On: true}), "Bob types in go true")
	s.want("fourth room", s.do("b", join(2, "e")), "Bob joins e")
	s.want("the empty one made place for the fifth", s.do("a", join(1, "f")), "Ann joins f")
	if s.state.rooms["c"] != nil {
		t.Error("room c is still there, want it to have made place")
	}
	s.do("b", claimOf(5, "Eve"))
	s.want("no room is empty", s.do("b", join(5, "g")), "overloaded")
	s.check()
}

func TestRepeatedMessages(t *testing.T) {
	s := newScript(t)
	s.populate()
	once := command{Kind: say, Conn: 1, Room: lobby, Text: "once", CID: "m1"}
	s.want("said", s.do("a", once), "Ann in lobby: once")
	said := s.last.at.Seq
	s.do("b", resumeOf(11, 1))
	again := once
	again.Conn = 11
	s.want("said again elsewhere", s.do("b", again), fmt.Sprint("duplicate of ", said))
	s.want("and the old one comes late", s.do("a", once), fmt.Sprint("duplicate of ", said))
	other := once
	other.Conn = 2
	s.want("another user's id is another", s.do("b", other), "Bob in lobby: once")
	for i := range 5 {
		again.CID = fmt.Sprint("n", i)
		s.do("b", again)
	}
	again.CID = "m1"
	s.want("forgotten", s.do("b", again), "Ann in lobby: once")
	s.check()
}

func TestHistoryBounds(t *testing.T) {
	s := newScript(t)
	s.populate()
	start := s.state.last
	for i := range 10 {
		s.do("a", sayOf(1, fmt.Sprint("line ", i)))
	}
	rooms := []string{lobby, "go"}
	missed, ok := s.state.missedBy(rooms, start)
	if !ok || len(missed) != 10 || missed[0].line.Text != "line 0" {
		t.Errorf("missedBy(%v) = %d lines, %v, want 10, true", start, len(missed), ok)
	}
	s.do("a", sayOf(1, "one too many"))
	if missed, ok := s.state.missedBy(rooms, start); ok {
		t.Errorf("missedBy(%v) = %d lines, true, want a hole", start, len(missed))
	}
	if missed, ok := s.state.missedBy(rooms, position{Seq: s.state.last.Seq + 5}); !ok || len(missed) != 0 {
		t.Errorf("missedBy of a position ahead = %v, %v, want nothing, true", missed, ok)
	}
	if _, ok := s.state.missedBy(rooms, position{Seq: s.state.last.Seq, Check: s.state.last.Check + 1}); ok {
		t.Error("missedBy of another log's position = true, want false")
	}
	long := strings.Repeat("x", 900)
	for range 5 {
		s.do("a", sayOf(1, long))
		s.do("a", command{Kind: say, Conn: 1, Room: "go", Text: long})
	}
	if s.state.bytes > s.state.bounds.HistoryBytes {
		t.Errorf("history of %d bytes, want at most %d", s.state.bytes, s.state.bounds.HistoryBytes)
	}
	s.check()
}

func TestPositions(t *testing.T) {
	for _, p := range []position{{}, {Seq: 1, Check: 2}, {Seq: 1 << 60, Check: 1 << 31}, {Seq: 1<<64 - 1, Check: 1<<32 - 1}} {
		if got, err := parsePosition(p.String()); err != nil || got != p {
			t.Errorf("parsePosition(%q) = %v, %v, want %v", p, got, err, p)
		}
	}
	for _, text := range []string{"", "1", ".", "1.", ".1", "1.2.3", "-1.2", "1.A", "01.2", "1.3w5e11264sgsg", strings.Repeat("1", 40) + ".1"} {
		if p, err := parsePosition(text); err == nil {
			t.Errorf("parsePosition(%q) = %v, want an error", text, p)
		}
	}
}

// If the cluster falls back to a state that had less of the log, numbers are given a second time, to other lines.
func TestForkedLog(t *testing.T) {
	s := newScript(t)
	s.populate()
	shared, before := s.state.last, s.state.encode()
	s.do("a", sayOf(1, "lost"))
	lost := s.state.last
	fork, err := decodeState(before)
	if err != nil {
		t.Fatal(err)
	}
	s.state = fork
	s.do("b", sayOf(2, "instead"))
	if s.state.last.Seq != lost.Seq {
		t.Fatalf("line in the fork has number %d, want that of the lost one, %d", s.state.last.Seq, lost.Seq)
	}
	s.do("b", sayOf(2, "and on"))
	if missed, ok := s.state.missedBy([]string{lobby}, lost); ok {
		t.Errorf("missedBy of a line of the other branch = %d lines, true, want false", len(missed))
	}
	if missed, ok := s.state.missedBy([]string{lobby}, shared); !ok || len(missed) != 2 {
		t.Errorf("missedBy of the last line before the fork = %d lines, %v, want 2, true", len(missed), ok)
	}
}

func FuzzRestore(f *testing.F) {
	s := newScript(f)
	f.Add(s.state.encode())
	s.populate()
	f.Add(s.state.encode())
	s.do("a", command{Kind: dropUser, Conn: 1, Hold: 30_000})
	ann := s.state.byKey["ann"]
	s.do("b", command{Kind: expireUser, Users: []stamp{{User: ann.id, Gen: ann.gen}}})
	s.do("b", command{Kind: say, Conn: 2, Room: lobby, Text: "once", CID: "m1"})
	f.Add(s.state.encode())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		restored, err := decodeState(encoded)
		if err != nil {
			return
		}
		again, err := decodeState(restored.encode())
		if err != nil || !bytes.Equal(again.encode(), restored.encode()) {
			t.Fatalf("decodeState(%x) encodes to what restores as another state: %v", encoded, err)
		}
		// It can be worked with.
		s := &script{t: t, state: restored, at: Entry{Epoch: 1}}
		s.populate()
		for _, instance := range []string{"a", "b", "c"} {
			s.gone(instance)
		}
		var stamps []stamp
		for _, u := range restored.users {
			stamps = append(stamps, stamp{User: u.id, Gen: u.gen})
		}
		slices.SortFunc(stamps, func(a, b stamp) int { return int(a.User) - int(b.User) })
		s.do("b", command{Kind: expireUser, Users: stamps})
	})
}
