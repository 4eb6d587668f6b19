package state

import (
	"fmt"
	"strings"
	"testing"
)

func TestNicknameHasOneHolder(t *testing.T) {
	s := newScript(t)
	s.want("first claim", s.do("a", claimOf(1, "Ann")), "Ann at a1; Ann joins lobby")
	s.want("same name elsewhere", s.do("b", claimOf(2, "ANN")), "name_taken")
	s.want("or a variant of it", s.do("b", variantOf(2, "ANN")), "ANN 2 at b2; ANN 2 joins lobby")
	s.want("the next one", s.do("b", variantOf(3, "ann")), "ann 3 at b3; ann 3 joins lobby")
	again := claimOf(1, "Anna")
	again.Action.(*Claim).Token = Hash{99}
	s.want("a second claim of a session renames", s.do("a", again), "Ann is Anna in lobby")
	s.want("the old name is free", s.do("b", claimOf(4, "ann")), "ann at b4; ann joins lobby")
	s.want("rename to a taken name",
		s.do("a", Command{Conn: 1, Action: &Rename{Name: "Ann", Key: "ann"}}), "name_taken")
	s.want("rename in another case",
		s.do("a", Command{Conn: 1, Action: &Rename{Name: "ANNA", Key: "anna"}}), "Anna is ANNA in lobby")
	s.want("leaving frees", s.do("a", Command{Conn: 1, Action: &LeaveChat{}}), "ANNA leaves lobby; ANNA freed")
	s.want("leaving twice", s.do("a", Command{Conn: 1, Action: &LeaveChat{}}), "no_name")
	s.want("rename without a name", s.do("a", Command{Conn: 1, Action: &Rename{Name: "X", Key: "x"}}), "no_name")
	s.want("a user that has left has no way back", s.do("c", resumeOf(9, 1)), "name_lost")
	s.check()
	for i := range uint64(17) {
		s.do("a", claimOf(100+i, fmt.Sprint("n", i)))
	}
	s.want("too many users", s.do("a", claimOf(150, "Zoe")), "overloaded")
	s.check()
}

func TestUserReturnsByToken(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.want("lost", s.do("a", disconnect(1, 30_000)), "Ann away")
	s.want("the nickname is kept", s.do("b", claimOf(7, "ann")), "name_taken")
	s.want("lost twice", s.do("a", disconnect(1, 30_000)), "no_name")
	stamp := s.state.byKey["ann"].Stamp()
	s.want("back elsewhere", s.do("c", resumeOf(3, 1)), "Ann at c3; Ann back")
	s.want("too late to expire", s.do("a", expire(stamp)), "")
	s.want("message from the earlier socket", s.do("a", sayOf(1, "under way")), "Ann in lobby: under way")
	s.want("but it can't end the user", s.do("a", Command{Conn: 1, Action: &LeaveChat{}}), "no_name")
	s.want("taken over while connected", s.do("b", resumeOf(4, 1)), "Ann at b4 not c3")
	s.want("its end does not count any more", s.do("c", disconnect(3, 30_000)), "no_name")
	rename := resumeOf(4, 1)
	rename.Action.(*Claim).Name, rename.Action.(*Claim).Key = "Bob", "bob"
	s.want("back with a name that is another's", s.do("c", rename), "name_taken")
	rename.Action.(*Claim).Name, rename.Action.(*Claim).Key = "Anna", "anna"
	s.want("back with a new name", s.do("c", rename), "Anna at c4 not b4; Ann is Anna in lobby; Ann is Anna in go")
	s.check()
}

func TestOvertakenClaimLeavesUserOnLaterSocket(t *testing.T) {
	s := newScript(t)
	s.populate()
	born := func(conn, born uint64) Command {
		c := resumeOf(conn, 1)
		c.Action.(*Claim).Born = born
		return c
	}
	s.want("back at b", s.do("b", born(5, 100)), "Ann at b5 not a1")
	s.want("overtaken", s.do("c", born(6, 50)), "")
	if !s.last.Stale {
		t.Error("overtaken claim is not stale")
	}
	s.want("messages from it count", s.do("c", sayOf(6, "hi")), "Ann in lobby: hi")
	s.want("its loss does not", s.do("c", disconnect(6, 30_000)), "no_name")
	s.want("lost", s.do("b", disconnect(5, 30_000)), "Ann away")
	s.want("now it may", s.do("c", born(6, 50)), "Ann at c6; Ann back")
	s.want("claimed once more", s.do("c", born(6, 50)), "Ann at c6 not c6")
	s.check()
	for conn := range uint64(10) {
		s.do("d", born(20+conn, 10))
	}
	s.want("many of them do not replace the present one", s.do("c", sayOf(6, "hi")), "Ann in lobby: hi")
	s.check()
}

// A client's claim may be under way on a slow instance while the same client leaves the chat at another one and takes a
// new name there.
func TestLateClaimEndsNoLaterUserOfTheClient(t *testing.T) {
	claim := func(conn, token, born uint64, name string) Command {
		c := claimOf(conn, name)
		a := c.Action.(*Claim)
		a.Token, a.Client, a.Born = Hash{byte(token)}, Hash{7}, born
		return c
	}
	for _, test := range []struct {
		rules  uint64
		away   bool // the later user is disconnected
		enters bool
	}{
		{lateClaimSince - 1, false, true},
		{lateClaimSince, false, false},
		{lateClaimSince, true, true},
		{laterUserSince, true, false},
	} {
		s := newScript(t)
		s.state.log.rules = test.rules
		s.do("a", claim(1, 50, 100, "Ann"))
		s.do("a", Command{Conn: 1, Action: &LeaveChat{}})
		s.want("a new name", s.do("b", claim(2, 51, 200, "Bea")), "Bea at b2; Bea joins lobby")
		want := "name_lost"
		if test.enters {
			want = "Zoe at a1; Zoe joins lobby"
		}
		if test.away {
			s.want("its connection is lost", s.do("b", disconnect(2, 30_000)), "Bea away")
		}
		s.want(fmt.Sprintf("a late claim: %+v", test), s.do("a", claim(1, 50, 100, "Zoe")), want)
		s.want("a claim on a later socket", s.do("c", claim(3, 52, 300, "Cleo")), "Cleo at c3; Cleo joins lobby")
		s.check()
	}
}

// The claim of a user that is known may accept a variant of its nickname, too: the user may be known only since the
// claim was appended.
func TestKnownUserReceivesVariant(t *testing.T) {
	again := func() Command {
		c := variantOf(3, "Ann")
		c.Action.(*Claim).Token = Hash{2}
		return c
	}
	for _, rules := range []uint64{MoveSince - 1, MoveSince} {
		s := newScript(t)
		s.state.log.rules = rules
		s.do("a", claimOf(1, "Ann"))
		s.want("a variant", s.do("a", variantOf(2, "Ann")), "Ann 2 at a2; Ann 2 joins lobby")
		s.do("a", disconnect(2, 30_000))
		want := [2]string{"name_taken", "name_taken"}
		if rules == MoveSince {
			want = [2]string{"Ann 2 at b3; Ann 2 back", "Ann 3 at b3; Ann 3 joins lobby"}
		}
		s.want("it keeps the one that it has", s.do("b", again()), want[0])
		s.do("b", disconnect(3, 0))
		s.do("a", disconnect(2, 0))
		expired := s.state.UserByToken(Hash{2})
		if expired.Status() != Expired {
			s.do("a", expire(expired.Stamp()))
		}
		s.do("b", claimOf(4, "Ann 2"))
		s.want("it has none any more", s.do("b", again()), want[1])
		c := again()
		c.Action.(*Claim).Variant = false
		s.do("a", disconnect(3, 0))
		s.do("b", disconnect(3, 0))
		s.want("it accepts none", s.do("b", c), "name_taken")
		s.check()
	}
}

// A client's instance may not know the private id that the client presents, and so which user it was. The log may.
func TestMovedClientIsItsFormerUser(t *testing.T) {
	ann := Hash{1, 1} // of Ann's private id, see claimOf
	move := func(former, origin Hash, ofOrigin bool) Command {
		c := claimOf(9, "Anna")
		c.Action.(*Claim).Origin = origin
		return Command{Conn: 9, Action: &Move{Claim: *c.Action.(*Claim), Former: former, OfOrigin: ofOrigin}}
	}
	const moves, isNew = "Anna at b9 not a1; Ann is Anna in lobby", "Anna at b9; Anna joins lobby"
	leave := Command{Conn: 1, Action: &LeaveChat{}}
	for _, test := range []struct {
		why   string
		does  []Command // between the claim of Ann and the move
		moves Command
		want  string
	}{
		{"the log knows it", nil, move(ann, Hash{}, false), moves},
		{"it is nobody's", nil, move(Hash{7}, Hash{}, false), isNew},
		{"it is that of the person", nil, move(ann, Hash{5}, true), moves},
		{"it is that of another person", nil, move(ann, Hash{6}, true), isNew},
		{"its user has left", []Command{leave}, move(ann, Hash{}, false), isNew},
		{"its user has expired", []Command{disconnect(1, 0)}, move(ann, Hash{}, false), isNew},
	} {
		s := newScript(t)
		c := claimOf(1, "Ann")
		c.Action.(*Claim).Origin = Hash{5}
		s.do("a", c)
		before := s.state.UserByToken(Hash{1})
		for _, c := range test.does {
			s.do("a", c)
		}
		s.want(test.why, s.do("b", test.moves), test.want)
		now := s.state.UserOn(ConnID{"b", 9})
		if same := test.why == "its user has expired" || test.want == moves; (now == before) != same {
			t.Errorf("%s: the same user: %v, want %v", test.why, now == before, same)
		}
		s.check()
	}

	s := newScript(t)
	s.do("a", claimOf(1, "Ann"))
	s.do("b", claimOf(9, "Zoe"))
	s.do("b", disconnect(9, 30_000))
	s.want("its token says who it is", s.do("b", move(ann, Hash{}, false)),
		"Anna at b9; Anna back; Zoe is Anna in lobby")

	s = newScript(t)
	s.state.log.rules = MoveSince - 1
	c := move(ann, Hash{}, false)
	s.at.Number++
	if o, changes, err := s.state.Apply(s.at, &c); o.Code != Unavailable || changes != nil || err == nil {
		t.Errorf("by older rules, Move is applied: %v, %v, %v", o, changes, err)
	}
}

func TestUserThatHasSaidSomethingAndLeftIsOver(t *testing.T) {
	s := newScript(t)
	say := sayOf(1, "hi")
	say.Action.(*Say).CID = "1"
	over := func(why string, want bool) {
		t.Helper()
		if got := s.state.IsOver(Hash{1}); got != want {
			t.Errorf("%s: over %v, want %v", why, got, want)
		}
	}
	over("nobody", false)
	s.do("a", claimOf(1, "Ann"))
	s.do("a", say)
	over("connected", false)
	s.do("a", disconnect(1, 0))
	over("expired", false)
	s.do("a", claimOf(1, "Ann"))
	s.do("a", Command{Conn: 1, Action: &LeaveChat{}})
	over("has left", true)
	s.do("a", claimOf(1, "Ann"))
	over("is back", false)
	s.do("a", Command{Conn: 1, Action: &Forget{}})
	over("is forgotten", true)
}

func TestExpiredUserReturnsUntilForgotten(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("a", disconnect(1, 30_000))
	ann := s.state.byKey["ann"]
	late := expire(ann.Stamp())
	s.want("nobody has returned", s.do("b", late), "Ann leaves lobby; Ann leaves go; Ann freed")
	s.want("reported once", s.do("c", late), "")
	s.want("the user may still return", s.do("b", resumeOf(5, 1)), "Ann at b5; Ann joins lobby; Ann joins go")
	if again := s.state.byKey["ann"]; again.id != ann.id {
		t.Errorf("user that returned has id %d, want %d", again.id, ann.id)
	}
	s.check()

	s.do("b", disconnect(5, 0))
	s.want("without a hold time the nickname is free at once",
		s.do("c", claimOf(6, "Ann")), "Ann at c6; Ann joins lobby")
	s.want("and the way back is closed", s.do("b", resumeOf(7, 1)), "name_lost")
	s.check()
	s.do("c", Command{Conn: 6, Action: &LeaveChat{}})
	s.at.Time += 61_000
	s.want("too late", s.do("b", resumeOf(8, 1)), "name_lost")
	s.check()
}

func TestUsersOfGoneInstanceAreDisconnected(t *testing.T) {
	s := newScript(t)
	s.populate()
	s.do("a", claimOf(3, "Cid"))
	s.do("a", disconnect(3, 5000))
	s.want("all users, in order of joining", s.gone("a"), "Ann away; Cid orphaned")
	s.want("once", s.gone("a"), "")
	cid := s.state.byKey["cid"]
	s.want("any instance may expire", s.do("b", expire(cid.Stamp())), "Cid leaves lobby; Cid freed")
	s.want("and a user that returns is back", s.do("b", resumeOf(9, 1)), "Ann at b9; Ann back")
	s.check()
}

func TestRoomsHaveLimits(t *testing.T) {
	s := newScript(t)
	s.populate()
	join := func(conn uint64, room string) Command {
		return Command{Conn: conn, Action: &Join{Room: room, RoomLimit: 3}}
	}
	s.want("join", s.do("b", join(2, "go")), "Bob joins go")
	s.want("join again", s.do("b", join(2, "go")), "")
	s.want("third room", s.do("b", join(2, "c")), "Bob joins c")
	s.want("one too many for the user", s.do("b", join(2, "d")), "too_many_rooms")
	s.want("leave", s.do("b", Command{Conn: 2, Action: &Leave{Room: "c"}}), "Bob leaves c")
	s.want("leave again", s.do("b", Command{Conn: 2, Action: &Leave{Room: "c"}}), "not_in_room")
	s.want("leave the lobby", s.do("b", Command{Conn: 2, Action: &Leave{Room: Lobby}}), "not_in_room")
	s.want("message to a room of others",
		s.do("b", Command{Conn: 2, Action: &Say{Room: "c", Text: "x"}}), "not_in_room")
	s.want("typing in a room of others", s.do("b", Command{Conn: 2, Action: &Typing{Room: "c", On: true}}), "no_name")
	s.want("type", s.do("b", Command{Conn: 2, Action: &Typing{Room: "go", On: true}}), "Bob types in go true")
	s.want("fourth room", s.do("b", join(2, "e")), "Bob joins e")
	s.want("the fifth replaces the empty one", s.do("a", join(1, "f")), "Ann joins f")
	if s.state.rooms["c"] != nil {
		t.Error("room c still exists, want it replaced")
	}
	s.do("b", claimOf(5, "Eve"))
	s.want("no room is empty, and Ann has made two", s.do("b", join(5, "g")),
		"Ann leaves go; Bob leaves go; Eve joins g")
	s.do("b", claimOf(6, "Fay"))
	s.want("no room is empty, and all have made one", s.do("b", join(6, "h")), "overloaded")
	s.at.Time += s.state.bounds.IdleMillis
	s.want("the longest idle", s.do("b", join(6, "h")), "Bob leaves e; Fay joins h")
	s.check()
}

func TestRoomsThatLookAlikeAreOne(t *testing.T) {
	s := newScript(t)
	s.state.log.rules = 1
	s.populate()
	enter := func(conn uint64, room string) Command {
		return Command{Conn: conn, Action: &Enter{Room: room, Key: RoomKey(room), RoomLimit: 3}}
	}
	if got := s.state.Meant("g0"); got != "g0" {
		t.Errorf("under older rules g0 means %s", got)
	}
	s.at.Number++
	s.state.Raise(s.at, Rules)
	s.want("a room of older rules has no key", s.do("b", enter(2, "g0")), "Bob joins g0")
	s.want("it stays what it is", s.do("b", enter(2, "go")), "Bob joins go")
	s.do("b", Command{Conn: 2, Action: &Leave{Room: "go"}})
	s.want("a look-alike", s.do("b", enter(2, "gο")), "") // Greek omicron
	if s.last.Room != "g0" || s.state.Meant("gο") != "g0" {
		t.Errorf("gο is %q and means %q, want g0", s.last.Room, s.state.Meant("gο"))
	}
	s.want("look-alikes of the lobby", s.do("a", enter(1, "lоbby")), "") // Cyrillic о
	if s.last.Room != Lobby {
		t.Errorf("a look-alike of the lobby is %q", s.last.Room)
	}
	s.want("another", s.do("a", enter(1, "ρеаcе")), "Ann joins ρеаcе")
	s.want("an earlier look-alike wins", s.do("b", enter(2, "peace")), "Bob joins ρеаcе")
	s.want("at its limit", s.do("b", enter(2, "c")), "too_many_rooms")
	s.check()
	s.state.giveUp(s.state.rooms["ρеаcе"], s.at.Time)
	if got := s.state.Meant("peace"); got != "peace" {
		t.Errorf("peace means %s, which was given up", got)
	}
	s.check()
}

func TestKeysOfRooms(t *testing.T) {
	if RoomKey(Lobby) != lobbyKey {
		t.Errorf("RoomKey(%q) = %q, want %q", Lobby, RoomKey(Lobby), lobbyKey)
	}
	if got := RoomKey(strings.Repeat("\ufdfa", maxNameBytes/3)); got != "" { // 18 characters each in NFKC
		t.Errorf("RoomKey of a name with a long key = %q, want none", got)
	}
	for _, name := range []string{"lobby", "go", "peace", "room 10", "ρеаcе", "日本語"} {
		folded, code := ParseRoom(name, 32)
		if code != Accepted || RoomKey(folded) != RoomKey(name) || RoomKey(name) == "" {
			t.Errorf("RoomKey(%q) = %q, of the folded name %q it is %q", name, RoomKey(name), folded, RoomKey(folded))
		}
	}
}

func TestHistoryStaysWithinItsBounds(t *testing.T) {
	s := newScript(t)
	s.populate()
	start := s.state.log.last
	for i := range 10 {
		s.do("a", sayOf(1, fmt.Sprint("line ", i)))
	}
	rooms := []string{Lobby, "go"}
	missed, ok := s.state.MissedBy(rooms, start)
	if !ok || len(missed) != 10 || missed[0].Line.Text != "line 0" {
		t.Errorf("MissedBy(%v) = %d lines, %v, want 10, true", start, len(missed), ok)
	}
	s.do("a", sayOf(1, "one too many"))
	if missed, ok := s.state.MissedBy(rooms, start); ok {
		t.Errorf("MissedBy(%v) = %d lines, true, want a gap", start, len(missed))
	}
	if missed, ok := s.state.MissedBy(rooms, Position{Seq: s.state.log.last.Seq + 5}); !ok || len(missed) != 0 {
		t.Errorf("MissedBy of a position ahead = %v, %v, want nothing, true", missed, ok)
	}
	if _, ok := s.state.MissedBy(rooms, Position{Seq: s.state.log.last.Seq, Check: s.state.log.last.Check + 1}); ok {
		t.Error("MissedBy of another log's position = true, want false")
	}
	long := strings.Repeat("x", 900)
	for range 5 {
		s.do("a", sayOf(1, long))
		s.do("a", Command{Conn: 1, Action: &Say{Room: "go", Text: long}})
	}
	if s.state.histBytes > s.state.bounds.HistoryBytes {
		t.Errorf("history of %d bytes, want at most %d", s.state.histBytes, s.state.bounds.HistoryBytes)
	}
	s.check()
}

// A room that is as large as it may be has the right lines, in memory that is not allocated anew.
func TestFullRoomKeepsItsMemory(t *testing.T) {
	const bound = 40
	s := New(Bounds{RoomLines: bound})
	claim := claimOf(1, "Ann")
	s.Apply(Entry{Instance: "there"}, &claim)
	r, first := s.rooms[Lobby], 0
	for n := range 20 * bound {
		say := Command{Conn: 1, Action: &Say{Room: Lobby, Text: fmt.Sprint(n), CID: fmt.Sprint(n)}}
		s.Apply(Entry{Instance: "there"}, &say)
		switch {
		case n < 2*bound:
			first = cap(r.memory)
		case cap(r.memory) != first:
			t.Fatalf("after %d messages there is room for %d lines, want for %d as before", n, cap(r.memory), first)
		case r.lines[0].Text != fmt.Sprint(n-bound+1) || r.lines[bound-1].Text != fmt.Sprint(n):
			t.Fatalf("after message %d the lines are %q to %q", n, r.lines[0].Text, r.lines[len(r.lines)-1].Text)
		}
	}
	for _, l := range r.memory[:cap(r.memory)][len(r.lines)+cap(r.memory)-cap(r.lines):] {
		if l != (Line{}) {
			t.Errorf("memory behind the last line holds %+v", l)
		}
	}
}
