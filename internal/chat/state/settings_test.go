package state

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Settings change by an entry, which drops at once what the new ones have no room for. The secret by which users share
// rooms stays.
func TestSettingsChangeByAnEntry(t *testing.T) {
	s := newScript(t)
	s.state.bounds.AddressKey = Hash{7}
	s.populate()
	for i := range 8 {
		s.do("a", Command{Conn: 1, Action: &Say{Room: Lobby, Text: fmt.Sprint(i), CID: fmt.Sprint(i)}})
		s.do("b", Command{Conn: 2, Action: &Say{Room: "go", Text: strings.Repeat("x", 200)}})
	}
	want := Settings{Bounds: Bounds{RoomLines: 3, HistoryBytes: 900, RememberedBytes: sayerCost + 2*messageCost,
		Users: 1}, RetentionMillis: 60_000}.Normal()
	s.want("the settings", s.do("a", Command{Action: NewAdjust(want)}), "")
	if got := s.state.Settings(); got != want {
		t.Errorf("Settings() = %+v, want %+v", got, want)
	}
	lines, more := s.state.rooms[Lobby].Last(10, 0)
	if len(lines) != 3 || lines[2].Text != "7" || more || s.state.histBytes > 900 {
		t.Errorf("the lobby has %d lines and more: %v, of %d bytes, want the last 3 within 900", len(lines), more,
			s.state.histBytes)
	}
	if n := len(s.state.said.byKey); n != 2 {
		t.Errorf("%d messages are remembered, want 2", n)
	}
	if s.state.bounds.AddressKey != (Hash{7}) {
		t.Error("the key of addresses has changed")
	}
	s.check()
	s.want("one user too many", s.do("c", claimOf(9, "Cid")), Overloaded.String())
}

// A build that does not know the entry is in the same state as one that skips it, because the rules of all do not have
// it yet, and reads that one's snapshot.
func TestSettingsStayUnderOlderRules(t *testing.T) {
	s := newScript(t)
	s.state.log.rules = SettingsSince - 1
	s.populate()
	older := s.fork()
	e := s.at
	e.Number++
	adjust := Command{Action: NewAdjust(Settings{Bounds: Bounds{RoomLines: 1}, RetentionMillis: 1})}
	if _, _, err := s.state.Apply(e, &adjust); err == nil {
		t.Error("Apply under older rules succeeds, want it skipped")
	}
	older.state.Skip(e)
	encoded := s.state.Encode()
	if !bytes.Equal(encoded, older.state.Encode()) {
		t.Error("states differ behind an entry that one build does not know")
	}
	if _, err := decode(encoded, SettingsSince-1); err != nil {
		t.Errorf("an older build reads a snapshot of its rules: %v", err)
	}
	s.at = e
	s.at.Number++
	s.state.Raise(s.at, SettingsSince)
	s.do("a", adjust)
	if got := s.state.Settings(); got.Bounds.RoomLines != 1 || got.RetentionMillis != 1 {
		t.Errorf("Settings() under newer rules = %+v, want the new ones", got)
	}
	s.check()
}
