package state

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSnapshotOfAnotherVersionIsRefused(t *testing.T) {
	s := newScript(t)
	s.populate()
	for _, version := range []byte{versionWithout - 1, snapshotVersion + 1} {
		encoded := s.state.Encode()
		encoded[1] = version
		_, err := Decode(encoded)
		if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "this instance reads versions 3 to 6") {
			t.Errorf("Decode of version %d = %v, want ErrVersion with both versions named", version, err)
		}
	}
}

// Under older rules a snapshot is one that older builds read, without what later ones have added.
func TestSnapshotUnderOlderRulesHasTheOlderFormat(t *testing.T) {
	for _, older := range []struct {
		rules, version uint64
		saved          any
		wrong          func(*settingsSnapshot) any // another format
	}{
		{EnterSince - 1, versionWithout, &snapshot{}, func(p *settingsSnapshot) any { return p.keyedSnapshot }},
		{HistorySince - 1, versionWithKeys, &keyedSnapshot{}, func(p *settingsSnapshot) any { return p.snapshot }},
		{HistorySince - 1, versionWithKeys, &keyedSnapshot{}, func(p *settingsSnapshot) any { return p.pastSnapshot }},
		{SettingsSince - 1, versionWithPast, &pastSnapshot{}, func(p *settingsSnapshot) any { return p }},
	} {
		s := newScript(t)
		s.state.log.rules = older.rules
		s.populate()
		encoded := s.state.Encode()
		if versionOf(encoded) != older.version {
			t.Errorf("snapshot is of version %d, want %d", encoded[1], older.version)
		}
		if err := decoding.Unmarshal(encoded, older.saved); err != nil {
			t.Errorf("an older build decodes a snapshot of rules %d: %v", older.rules, err)
		}
		s.check()
		s.at.Number++
		s.state.Raise(s.at, Rules)
		raised := s.state.Encode()
		if raised[1] != snapshotVersion {
			t.Errorf("under rules %d a snapshot is of version %d, want %d", Rules, raised[1], snapshotVersion)
		}
		s.check()
		if restored, err := Decode(encoded); err != nil {
			t.Error(err)
		} else if restored.Raise(s.at, Rules); !bytes.Equal(restored.Encode(), raised) {
			t.Error("a state restored before the rules were raised differs from one that was there")
		}
		var saved settingsSnapshot
		if err := decoding.Unmarshal(raised, &saved); err != nil {
			t.Fatal(err)
		}
		saved.Rules = older.rules
		if _, err := Decode(must(encoding.Marshal(older.wrong(&saved)))); err == nil {
			t.Error("Decode succeeded, want the format refused that does not fit its rules")
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := newScript(f)
	f.Add(s.state.Encode())
	s.populate()
	f.Add(s.state.Encode())
	s.do("a", disconnect(1, 30_000))
	ann := s.state.byKey["ann"]
	s.do("b", expire(ann.Stamp()))
	s.do("b", Command{Conn: 2, Action: &Say{Room: Lobby, Text: "once", CID: "m1"}})
	f.Add(s.state.Encode())
	f.Fuzz(func(t *testing.T, encoded []byte) {
		restored, err := Decode(encoded)
		if err != nil {
			return
		}
		again, err := Decode(restored.Encode())
		if err != nil || !bytes.Equal(again.Encode(), restored.Encode()) {
			t.Fatalf("Decode(%x) encodes to what decodes as another State: %v", encoded, err)
		}
		// Entries can be applied to it.
		s := &script{t: t, state: restored, at: Entry{Epoch: 1}}
		s.populate()
		for _, instance := range []string{"a", "b", "c"} {
			s.gone(instance)
		}
		var stamps []Stamp
		for _, u := range restored.users {
			stamps = append(stamps, u.Stamp())
		}
		slices.SortFunc(stamps, func(a, b Stamp) int { return cmp.Compare(a.User, b.User) })
		s.do("b", expire(stamps...))
	})
}
