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
	for _, version := range []byte{snapshotVersion - 1, snapshotVersion + 1} {
		encoded := s.state.Encode()
		encoded[1] = version
		_, err := Decode(encoded)
		if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "this instance reads version 3") {
			t.Errorf("Decode of version %d = %v, want ErrVersion with both versions named", version, err)
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
