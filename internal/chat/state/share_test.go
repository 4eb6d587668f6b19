package state

import (
	"fmt"
	"strings"
	"testing"
)

// from gives the claim of a command an origin.
func from(origin byte, c Command) Command {
	c.Action.(*Claim).Origin = Hash{0xff, origin}
	return c
}

func join(conn uint64, room string) Command {
	return Command{Conn: conn, Action: &Join{Room: room, RoomLimit: 16}}
}

// One address, with however many users, holds all rooms and keeps them in use. It gives one up for everybody else.
func TestOneOriginCannotHoldAllRooms(t *testing.T) {
	s := newScript(t)
	s.state.bounds.Rooms = 12
	for i := range uint64(12) {
		s.do("a", from(1, claimOf(10+i, fmt.Sprint("Mallory", i))))
		s.do("a", join(10+i, fmt.Sprint("held", i)))
	}
	for i := range uint64(4) {
		s.do("b", from(byte(2+i), claimOf(100+i, fmt.Sprint("Ann", i))))
		got := s.do("b", join(100+i, fmt.Sprint("room", i)))
		if !strings.HasSuffix(got, fmt.Sprintf("joins room%d", i)) {
			t.Errorf("join of %d = %q, want that it has its room", i, got)
		}
	}
	for i := range 4 {
		if s.state.rooms[fmt.Sprint("room", i)] == nil {
			t.Errorf("room%d is gone, want only rooms of the address with the most given up", i)
		}
	}
	// The same address makes more: it gives up its own rooms, if anybody's.
	s.do("a", join(10, "more"))
	for i := range 4 {
		if s.state.rooms[fmt.Sprint("room", i)] == nil {
			t.Errorf("room%d was given up for the address with the most rooms", i)
		}
	}
	if n := s.state.Size(); n.Rooms > 12 || n.RoomsGivenUp == 0 {
		t.Errorf("%d rooms, %d given up, want at most 12 rooms", n.Rooms, n.RoomsGivenUp)
	}
	s.check()
}

// A flood costs the history of the room that it is in, or of the rooms that its origin has made.
func TestFloodCostsItsOwnRoomsAlone(t *testing.T) {
	for _, test := range []struct {
		name  string
		rooms int // that the flood is spread over
	}{{"one room", 1}, {"many rooms", 8}} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t)
			s.state.bounds.Rooms, s.state.bounds.RoomLines = 20, 1000
			s.do("a", from(1, claimOf(1, "Ann")))
			s.do("a", join(1, "quiet"))
			// More than one room of the flood has, and less than all of them.
			s.do("a", Command{Conn: 1, Action: &Say{Room: "quiet", Text: strings.Repeat("kept", 150)}})
			s.do("a", sayOf(1, "kept"))
			s.do("a", from(2, claimOf(2, "Mallory")))
			for i := range test.rooms {
				s.do("a", join(2, fmt.Sprint("flood", i)))
			}
			for i := range 400 {
				s.do("a", Command{Conn: 2, Action: &Say{Room: fmt.Sprint("flood", i%test.rooms), Text: "flood"}})
			}
			for _, room := range []string{Lobby, "quiet"} {
				if lines, _ := s.state.rooms[room].Last(1000, 0); len(lines) < 2 || lines[0].Kind != JoinLine {
					t.Errorf("%d lines are left in %s, want all", len(lines), room)
				}
			}
			if n := s.state.Size(); n.HistoryBytes > s.state.bounds.HistoryBytes || n.LinesDropped == 0 {
				t.Errorf("%d bytes of history, %d lines dropped, want at most %d bytes",
					n.HistoryBytes, n.LinesDropped, s.state.bounds.HistoryBytes)
			}
			s.check()
		})
	}
}

func TestOriginDependsOnTheSecretOfTheLog(t *testing.T) {
	one, other := New(Bounds{AddressKey: Hash{1}}), New(Bounds{AddressKey: Hash{2}})
	if one.OriginOf("192.0.2.1") == other.OriginOf("192.0.2.1") {
		t.Error("an address has the same hash in two logs")
	}
	again, err := Decode(one.Encode())
	if err != nil || again.OriginOf("192.0.2.1") != one.OriginOf("192.0.2.1") {
		t.Errorf("after Decode an address has another hash, %v", err)
	}
}

// A room says whether its first line is the first that it ever had, also after a snapshot.
func TestRoomTellsThatLinesWereDropped(t *testing.T) {
	s := newScript(t)
	s.state.bounds.RoomLines = 3
	s.do("a", claimOf(1, "Ann"))
	s.do("a", join(1, "garden"))
	check := func(when, room string, want bool) {
		t.Helper()
		restored, err := Decode(s.state.Encode())
		if err != nil {
			t.Fatal(err)
		}
		for name, state := range map[string]*State{"at first": s.state, "after a snapshot": restored} {
			r := state.Room(room)
			if got := r.lines[0].Seq > r.First(); got != want {
				t.Errorf("%s, %s: lines of %s were dropped: %v, want %v", when, name, room, got, want)
			}
		}
	}
	check("two rooms are made", Lobby, false)
	check("two rooms are made", "garden", false)
	for i := range 4 {
		s.do("a", sayOf(1, fmt.Sprint(i)))
	}
	check("the lobby is full", Lobby, true)
	check("the lobby is full", "garden", false)
}
