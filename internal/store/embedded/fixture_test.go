package embedded

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"chatapp/internal/store"
)

var writeFixture = flag.String("embedded.fixture", "", "a new folder in testdata, for the fixture of a version")

// writeFolder writes a folder that has files of all kinds.
func writeFolder(t *testing.T, folder string) {
	s := claimed(t, folder, Options{})
	fill(t, s, 1, 20)
	b := numbered(21)
	b.Log = store.LogID{Stamp: 1234, Founder: "founder"}
	b.Checkpoint = &store.Checkpoint{Log: b.Log, Index: 21, Body: []byte("state at 21")}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if err := s.DropEntries(t.Context(), 18); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 22, 25)
	s.Close()
}

// A folder that the first version has written is read as it was then, and goes on.
func TestFolderOfTheFirstVersion(t *testing.T) {
	if *writeFixture != "" {
		writeFolder(t, filepath.Join("testdata", *writeFixture))
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "v1"))); err != nil {
		t.Fatal(err)
	}
	s := claimed(t, folder, Options{NoSync: true})
	wantHead(t, s, 25)
	if head, err := s.Head(t.Context()); err != nil || head.Term != 2 {
		t.Errorf("Head() = %+v, %v, want term 2", head, err)
	}
	c, err := s.Checkpoint(t.Context())
	if err != nil || c == nil || c.Index != 21 || string(c.Body) != "state at 21" || c.Log.Founder != "founder" {
		t.Errorf("Checkpoint() = %+v, %v, want that at index 21", c, err)
	}
	next := uint64(19)
	err = s.Entries(t.Context(), 18, func(e store.Entry) error {
		if want := fmt.Sprint("text ", next); e.Index != next || string(e.Body) != want {
			t.Errorf("entry %d is %q, want %d, %q", e.Index, e.Body, next, want)
		}
		next++
		return nil
	})
	if err != nil || next != 26 {
		t.Errorf("Entries(18) = %v, up to %d, want 25", err, next-1)
	}
	for i := range uint64(3) {
		page, err := s.Lines(t.Context(), fmt.Sprint("room ", i), 0, 100)
		if err != nil || len(page.Lines) != map[uint64]int{0: 8, 1: 9, 2: 8}[i] {
			t.Errorf("Lines(%d) = %+v, %v", i, page.Lines, err)
		}
		for _, line := range page.Lines {
			want := fmt.Sprint("text ", line.Seq)
			if string(line.Body) != want || line.Time != int64(line.Seq) || line.Index != line.Seq {
				t.Errorf("a line is %+v", line)
			}
		}
	}
	fill(t, s, 26, 27)
	if err := s.DropEntries(t.Context(), 20); err != nil {
		t.Error(err)
	}
	wantHead(t, s, 27)
}
