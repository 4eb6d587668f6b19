package embedded

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

var exampleBatch = record{kind: recordBatch, seq: 4, number: 9, batch: store.Batch{
	Log: store.LogID{Stamp: 1, Founder: "founder"}, After: 7,
	Entries: []store.Entry{{Index: 8, Body: []byte("eight")}, {Index: 9, Body: []byte{}}},
	Lines: []store.Line{{Room: "room", Seq: 3, Index: 8, Time: -1, User: 5, Body: []byte("text")},
		{Room: "", Seq: 4, Index: 9, Time: 1, User: math.MaxUint64, Body: []byte{}}},
	Checkpoint: &store.Checkpoint{Log: store.LogID{Stamp: 2}, Index: 9},
}}

func FuzzRecord(f *testing.F) {
	for _, r := range []record{exampleBatch, {kind: recordClaim, term: 5}, {kind: recordDrop, through: 7},
		{kind: recordBatch}} {
		b := appendRecord(nil, &r, 0)
		f.Add(b)
		f.Add(append(b, b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		folder.Torn(b, 0, recordKinds)
		body, rest, ok := folder.NextRecord(b, 0)
		if !ok {
			body, rest = b, nil // what the checksum does not protect must not panic either
		}
		if len(body)+len(rest) > len(b) {
			t.Fatalf("folder.NextRecord() returns more than it has")
		}
		r, err := decodeRecord(body)
		if err != nil {
			return
		}
		for i, entry := range r.batch.Entries {
			if !bytes.Equal(entry.Body, body[r.entryAt[i]:][:len(entry.Body)]) {
				t.Errorf("entry %d is not at offset %d", i, r.entryAt[i])
			}
		}
		for i, line := range r.batch.Lines {
			if !bytes.Equal(line.Body, body[r.lineAt[i]:][:len(line.Body)]) {
				t.Errorf("line %d is not at offset %d", i, r.lineAt[i])
			}
		}
		again, err := decodeRecord(appendRecord(nil, r, 1)[folder.RecordHead:])
		if err != nil || !reflect.DeepEqual(again.batch, r.batch) || again.seq != r.seq || again.term != r.term {
			t.Errorf("%+v becomes %+v, %v", r, again, err)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add(appendPage(nil, exampleBatch.batch.Lines))
	f.Add(appendPage(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := decodePage(b, "room")
		if err != nil {
			return
		}
		again, err := decodePage(appendPage(nil, lines), "room")
		if err != nil || !reflect.DeepEqual(again, lines) {
			t.Errorf("%+v becomes %+v, %v", lines, again, err)
		}
	})
}

func FuzzManifest(f *testing.F) {
	m := &manifest{firstLog: 3, kept: store.Kept{Head: store.Head{Index: 5, Seq: 6, Term: 7}, Floor: 2, Checkpoint: 3},
		checkpoints: []checkpointFile{{8, store.LogID{Stamp: 1, Founder: "f"}, 3}},
		lines:       []listed{{1, uncut}}, entries: []listed{{2, 9}}}
	f.Add(appendManifest(nil, m))
	f.Add(appendCheckpoint(nil, &store.Checkpoint{Index: 4, Body: []byte("state")}))
	f.Add(appendLogHead(nil, 77, 88))
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeCheckpoint(b)
		decodeLogHead(b)
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		again, err := decodeManifest(appendManifest(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v becomes %+v, %v", m, again, err)
		}
	})
}

// FuzzFolder opens folders in which one file has any content.
func FuzzFolder(f *testing.F) {
	folder := f.TempDir()
	s, err := Open(folder, Options{NoSync: true})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := s.Claim(f.Context()); err != nil {
		f.Fatal(err)
	}
	b := numbered(1)
	b.Checkpoint = &store.Checkpoint{Index: 1, Body: []byte("state")}
	keep := func(*store.Line) store.Change { return store.Keep }
	for _, step := range []func() error{
		func() error { return s.Append(f.Context(), b) },
		func() error { return s.Rewrite(f.Context(), 1, keep) },
		func() error { return s.Append(f.Context(), numbered(2)) },
	} {
		if err := step(); err != nil {
			f.Fatal(err)
		}
	}
	s.Close()
	names, err := filepath.Glob(filepath.Join(folder, "*-*"))
	if err != nil {
		f.Fatal(err)
	}
	files := make(map[string][]byte)
	for i, name := range names {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			f.Fatal(err)
		}
		f.Add(i, files[filepath.Base(name)])
	}
	f.Fuzz(func(t *testing.T, which int, content []byte) {
		folder := t.TempDir()
		for i, name := range names {
			b := files[filepath.Base(name)]
			if i == which {
				b = content
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(name)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Open(folder, Options{NoSync: true})
		if err != nil {
			return
		}
		defer s.Close()
		use := func() {
			s.Checkpoint(t.Context())
			s.Entries(t.Context(), 0, func(store.Entry) error { return nil })
			s.Rooms(t.Context(), func(room string) error {
				s.Lines(t.Context(), room, 0, 10)
				return nil
			})
		}
		use()
		if _, err := s.Claim(t.Context()); err == nil {
			use()
			s.Rewrite(t.Context(), 5, keep)
		}
	})
}
