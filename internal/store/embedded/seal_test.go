package embedded

import (
	"errors"
	"strings"
	"testing"

	"chatapp/internal/store"
)

// A batch that drops lines while their log is being sealed drops them from the pages, too.
func TestRewindWhileALogIsSealed(t *testing.T) {
	s := claimed(t, t.TempDir(), Options{NoSync: true})
	fill(t, s, 1, 9)
	done := false
	s.d.Fault = func(step, name string) error {
		if step != "create" || !strings.HasPrefix(name, nameLines) || done {
			return nil
		}
		done = true
		return s.Append(t.Context(), store.Batch{Log: store.LogID{Stamp: 2}, After: 4})
	}
	if err := s.Rewrite(t.Context(), 0, func(*store.Line) store.Change { return store.Keep }); err != nil || !done {
		t.Fatalf("Rewrite() = %v, the batch was appended: %v", err, done)
	}
	wantHead(t, s, 4)
	page, err := s.Lines(t.Context(), "room 0", 0, 10)
	if err != nil || len(page.Lines) != 1 || page.Lines[0].Seq != 3 {
		t.Errorf("Lines() = %+v, %v, want line 3 alone", page.Lines, err)
	}
	count := 0
	err = s.Entries(t.Context(), 0, func(store.Entry) error { count++; return nil })
	if err != nil || count != 4 {
		t.Errorf("Entries() = %v behind %d entries, want 4", err, count)
	}
}

// A log whose sync has failed is not written any more.
func TestLogIsLeftBehindAFailedSync(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	before := the(t, folder, nameLog)
	failed := false
	s.d.Fault = func(step, _ string) error {
		if step == "sync" && !failed {
			failed = true
			return errors.New("input/output error")
		}
		return nil
	}
	if err := s.Append(t.Context(), numbered(1)); err == nil {
		t.Fatal("Append() = nil, want the error of the sync")
	}
	fill(t, s, 1, 2)
	if last := s.current.Load().last(); last.path == before {
		t.Errorf("the log %s goes on behind a failed sync", before)
	}
	wantHead(t, s, 2)
}
