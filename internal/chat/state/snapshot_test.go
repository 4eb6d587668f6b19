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
	for _, version := range []byte{snapshotVersionBefore - 1, snapshotVersion + 1} {
		encoded := s.state.Encode()
		encoded[1] = version
		_, err := Decode(encoded)
		if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "this instance reads versions 3 and 4") {
			t.Errorf("Decode of version %d = %v, want ErrVersion with both versions named", version, err)
		}
	}
}

// Under older rules a snapshot is one that older builds read, whose format has no keys.
func TestSnapshotUnderOlderRulesHasTheOlderFormat(t *testing.T) {
	s := newScript(t)
	s.state.log.rules = 1
	s.populate()
	encoded := s.state.Encode()
	if encoded[1] != snapshotVersionBefore {
		t.Errorf("snapshot is of version %d, want %d", encoded[1], snapshotVersionBefore)
	}
	var saved snapshot
	if err := decoding.Unmarshal(encoded, &saved); err != nil || saved.Rules != 1 {
		t.Errorf("an older build decodes rules %d, %v", saved.Rules, err)
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
	for _, wrong := range [][]byte{
		must(encoding.Marshal(keyedSnapshot{snapshot: saved, RoomKeys: make([]string, len(saved.Rooms))})),
		must(encoding.Marshal(snapshot{Version: snapshotVersionBefore, Rules: Rules, Bounds: saved.Bounds})),
	} {
		if _, err := Decode(wrong); err == nil {
			t.Errorf("Decode(%x...) succeeded, want the format refused that does not fit its rules", wrong[:8])
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
