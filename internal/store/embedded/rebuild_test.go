package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"

	"chatapp/internal/store"
)

// A damaged index is rebuilt from the pages, and the log says so. Nothing is missing, neither then nor once the file
// was rewritten. A page that is damaged as well, or missing, fails the open, which names the file.
func TestDamagedIndexIsRebuilt(t *testing.T) {
	dir := t.TempDir()
	s := claimed(t, dir, Options{NoSync: true})
	fill(t, s, 1, 30)
	keep := func(*store.Line) store.Change { return store.Keep }
	if err := s.Rewrite(t.Context(), 30, keep); err != nil {
		t.Fatal(err)
	}
	s.Close()
	want := func(when string, log *bytes.Buffer, told bool) {
		t.Helper()
		s := claimed(t, dir, Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
		defer s.Close()
		for _, room := range []string{"room 0", "room 1", "room 2"} {
			if page, err := s.Lines(t.Context(), room, 0, 100); err != nil || len(page.Lines) != 10 {
				t.Errorf("%s: %s has %d lines, %v, want 10", when, room, len(page.Lines), err)
			}
		}
		entries := 0
		err := s.Entries(t.Context(), 0, func(store.Entry) error { entries++; return nil })
		if err != nil || entries != 30 {
			t.Errorf("%s: %d entries, %v, want 30", when, entries, err)
		}
		if got := strings.Count(log.String(), "rebuilt"); got != map[bool]int{true: 1}[told] {
			t.Errorf("%s: the log says %d times that an index was rebuilt: %s", when, got, log)
		}
		if err := s.Rewrite(t.Context(), 0, keep); err != nil {
			t.Errorf("%s: Rewrite() = %v", when, err)
		}
	}
	for _, name := range []string{nameLines, nameEntries} {
		path := the(t, dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		index := int(binary.BigEndian.Uint64(whole[len(whole)-trailer:]))
		write := func(b []byte) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for at := index; at < len(whole); at++ {
			b := bytes.Clone(whole)
			b[at] ^= 0x10
			write(b)
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatalf("with byte %d of %d of %s damaged: %v", at, len(whole), name, err)
			}
			s.Close()
		}
		write(whole[:index])
		want("the index of "+name+" is missing", new(bytes.Buffer), true)
		write(whole)
		want("nothing is damaged", new(bytes.Buffer), false)
		for _, at := range []int{headerSize + 2, index - 20} {
			b := bytes.Clone(whole[:index])
			b[at] ^= 0x10
			write(b)
			_, err := Open(dir, Options{})
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("with byte %d and the index damaged: Open() = %v, want ErrCorrupt and %s", at, err, path)
			}
		}
		write(whole)
	}
}
