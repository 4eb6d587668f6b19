package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/store"
)

// claimed opens a folder for writing.
func claimed(t *testing.T, folder string, o Options) *Store {
	t.Helper()
	s, err := Open(folder, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// numbered is a batch of one entry and one line, all with one number.
func numbered(n uint64) store.Batch {
	body := fmt.Appendf(nil, "text %d", n)
	return store.Batch{After: n - 1, Entries: []store.Entry{{Index: n, Body: body}},
		Lines: []store.Line{{Room: fmt.Sprint("room ", n%3), Seq: n, Index: n, Time: int64(n), Body: body}}}
}

func fill(t *testing.T, s *Store, first, last uint64) {
	t.Helper()
	for n := first; n <= last; n++ {
		if err := s.Append(t.Context(), numbered(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func wantHead(t *testing.T, s *Store, index uint64) {
	t.Helper()
	if head, err := s.Head(t.Context()); err != nil || head.Index != index || head.Seq != index {
		t.Errorf("Head() = %+v, %v, want index and line %d", head, err, index)
	}
}

// the returns the only file of a kind.
func the(t *testing.T, folder, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, name+"*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("there are %q, %v, want one file", files, err)
	}
	return files[0]
}

// What a crash leaves of the last write is cut, wherever it has cut the write off, and whatever the disk has there.
func TestTornWriteIsCut(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	fill(t, s, 1, 3)
	log := the(t, folder, nameLog)
	whole, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 4, 4)
	s.Close()
	all, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(whole); size <= len(all); size++ {
		for name, b := range map[string][]byte{
			"short": all[:size],
			"zeros": append(bytes.Clone(all[:size]), make([]byte, len(all)-size+100)...),
		} {
			if err := os.WriteFile(log, b, 0o600); err != nil {
				t.Fatal(err)
			}
			reader, err := Open(folder, Options{})
			if err != nil {
				t.Fatalf("%s, %d bytes: %v", name, size, err)
			}
			want := uint64(3)
			if size == len(all) {
				want = 4
			}
			wantHead(t, reader, want)
			reader.Close()
			s := claimed(t, folder, Options{NoSync: true})
			fill(t, s, want+1, want+1)
			s.Close()
			s = claimed(t, folder, Options{NoSync: true})
			wantHead(t, s, want+1)
			s.Close()
		}
	}
}

// Damage that whole records follow is not what a crash leaves. It is reported to whoever reads the log, since a reader
// that took it for the end of the log would begin without what follows; and nothing is cut.
func TestDamagedLogIsReported(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	fill(t, s, 1, 1)
	early, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer early.Close()
	fill(t, s, 2, 3)
	s.Close()
	log := the(t, folder, nameLog)
	damage(t, log, "text 2")
	before, _ := os.ReadFile(log)
	_, openErr := Open(folder, Options{})
	_, headErr := early.Head(t.Context())
	_, claimErr := early.Claim(t.Context())
	for call, err := range map[string]error{"Open()": openErr, "Head()": headErr, "Claim()": claimErr} {
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), log) {
			t.Errorf("%s = %v, want ErrCorrupt and the file's name", call, err)
		}
	}
	if after, _ := os.ReadFile(log); !bytes.Equal(before, after) {
		t.Error("Claim() has changed the damaged log")
	}
}

// damage changes a byte of a file.
func damage(t *testing.T, path, where string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(where))
	if at < 0 {
		t.Fatalf("%s does not contain %q", path, where)
	}
	b[at]++
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A damaged page fails what reads it, and nothing else.
func TestDamagedPageIsReportedAlone(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	fill(t, s, 1, 30)
	if err := s.Rewrite(t.Context(), 30, func(*store.Line) store.Change { return store.Keep }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	damage(t, the(t, folder, nameLines), "text 22") // in room 1
	s = claimed(t, folder, Options{NoSync: true})
	fill(t, s, 31, 33)
	for room, corrupt := range map[string]bool{"room 0": false, "room 1": true, "room 2": false} {
		page, err := s.Lines(t.Context(), room, 0, 10)
		if errors.Is(err, store.ErrCorrupt) != corrupt || (err == nil) == corrupt || !corrupt && len(page.Lines) != 10 {
			t.Errorf("Lines(%q) = %d lines, %v, want ErrCorrupt: %v", room, len(page.Lines), err, corrupt)
		}
	}
	fill(t, s, 34, 34)
	if page, err := s.Lines(t.Context(), "room 1", 0, 1); err != nil || len(page.Lines) != 1 || !page.More {
		t.Errorf("Lines() of what is newer than the damage = %+v, %v, want line 34 and more", page, err)
	}
	wantHead(t, s, 34)
}

// A damaged page keeps nothing in other pages that has to go, and no files from being merged. It is reported each time,
// since nobody knows what it has, and goes with its file when that is old enough.
func TestDamagedPageKeepsNothingElse(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	fill(t, s, 1, 30)
	keep := func(*store.Line) store.Change { return store.Keep }
	if err := s.Rewrite(t.Context(), 30, keep); err != nil {
		t.Fatal(err)
	}
	s.Close()
	damage(t, the(t, folder, nameLines), "text 22") // in room 1, behind those of room 0
	s = claimed(t, folder, Options{NoSync: true})
	secrets := []string{"text 3", "text 4", "text 5", "text 32"} // the first and third before and behind the damage
	want := map[string]int{"room 0": 9, "room 2": 9}
	for n := uint64(31); n < 31+3*mergeFiles; n++ { // a file each
		fill(t, s, n, n)
		err := s.Rewrite(t.Context(), n, func(l *store.Line) store.Change {
			if slices.Contains(secrets, string(l.Body)) {
				return store.Drop
			}
			return store.Keep
		})
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "lines 1 to 28") {
			t.Fatalf("Rewrite() = %v, want ErrCorrupt and the lines", err)
		}
		if n%3 != 1 && n != 32 {
			want[fmt.Sprint("room ", n%3)]++
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, nameLines+"*"))
	if err != nil || len(files) >= mergeFiles {
		t.Errorf("there are %d files of lines, %v, want them merged", len(files), err)
	}
	for _, reopened := range []bool{false, true} {
		if reopened {
			s.Close()
			s = claimed(t, folder, Options{NoSync: true})
		}
		for room, lines := range want {
			page, err := s.Lines(t.Context(), room, 0, 100)
			if err != nil || len(page.Lines) != lines {
				t.Errorf("%s has %d lines, %v, want %d", room, len(page.Lines), err, lines)
			}
			for _, l := range page.Lines {
				if slices.Contains(secrets, string(l.Body)) {
					t.Errorf("%s still has %q", room, l.Body)
				}
			}
		}
		if _, err := s.Lines(t.Context(), "room 1", 0, 100); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("Lines() of the damaged page = %v, want ErrCorrupt", err)
		}
	}
	if err := s.DropLines(t.Context(), time.UnixMilli(1<<50)); err != nil {
		t.Errorf("DropLines() of whole files = %v", err)
	}
	s.Close()
}

func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{})
	fill(t, s, 1, 2)
	for _, step := range []string{"write", "sync", "create"} {
		full := true
		s.d.Fault = func(what, name string) error {
			if full && what == step {
				return &os.PathError{Op: step, Path: name, Err: syscall.ENOSPC}
			}
			return nil
		}
		head, _ := s.Head(t.Context())
		n := head.Index
		b := numbered(n + 1)
		b.Checkpoint = &store.Checkpoint{Index: n + 1}
		if err := s.Append(t.Context(), b); !errors.Is(err, store.ErrFull) {
			t.Errorf("Append() with a disk that is full at %s = %v, want ErrFull", step, err)
		}
		if step != "create" {
			if err := s.Append(t.Context(), numbered(n+1)); !errors.Is(err, store.ErrFull) {
				t.Errorf("Append() with a disk that is full at %s = %v, want ErrFull", step, err)
			}
			if err := s.DropEntries(t.Context(), 0); err == nil {
				t.Errorf("DropEntries() with a disk that is full at %s succeeds", step)
			}
		}
		keep := func(*store.Line) store.Change { return store.Keep }
		if err := s.Rewrite(t.Context(), 9, keep); !errors.Is(err, store.ErrFull) {
			t.Errorf("Rewrite() with a disk that is full at %s = %v, want ErrFull", step, err)
		}
		wantHead(t, s, n)
		full = false
		fill(t, s, n+1, n+2)
		reader, err := Open(folder, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantHead(t, reader, n+2)
		reader.Close()
	}
	s.Close()
	s = claimed(t, folder, Options{})
	wantHead(t, s, 8)
}

// A log that can't be cut back goes on in another file, and what is left behind its end does no harm.
func TestWriteThatCannotBeUndone(t *testing.T) {
	folder := t.TempDir()
	s := claimed(t, folder, Options{NoSync: true})
	reader, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fill(t, s, 1, 2)
	s.d.Fault = func(step, name string) error {
		if step == "sync" || step == "truncate" {
			return errors.New("input/output error")
		}
		return nil
	}
	lost := numbered(3)
	lost.Lines[0].Body = []byte("lost")
	if err := s.Append(t.Context(), lost); err == nil {
		t.Fatal("Append() = nil, want the error of the disk")
	}
	wantHead(t, reader, 3) // it can't know
	s.d.Fault = nil
	wantHead(t, s, 2)
	fill(t, s, 3, 5)
	for range 2 {
		for _, s := range []*Store{s, reader} {
			wantHead(t, s, 5)
			if page, err := s.Lines(t.Context(), "room 0", 4, 1); err != nil || string(page.Lines[0].Body) != "text 3" {
				t.Errorf("Lines() = %+v, %v, want text 3", page, err)
			}
		}
		s.Close()
		s = claimed(t, folder, Options{NoSync: true})
	}
}

func TestFolderOfANewerVersion(t *testing.T) {
	for _, name := range []string{nameManifest, nameLog, nameLines, nameEntries, nameCheckpoint} {
		folder := t.TempDir()
		s := claimed(t, folder, Options{NoSync: true})
		fill(t, s, 1, 2)
		if err := s.Rewrite(t.Context(), 2, func(*store.Line) store.Change { return store.Keep }); err != nil {
			t.Fatal(err)
		}
		b := numbered(3)
		b.Checkpoint = &store.Checkpoint{Index: 3}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		s.Close()
		path := the(t, folder, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		content[headerSize-1]++
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err = Open(folder, Options{})
		if err == nil {
			_, err = s.Checkpoint(t.Context())
			s.Close()
		}
		if !errors.Is(err, store.ErrVersion) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("with a newer %s: %v, want ErrVersion and the file's name", name, err)
		}
	}
}

func TestSecondWriterIsTold(t *testing.T) {
	folder := t.TempDir()
	claimed(t, folder, Options{NoSync: true})
	s, err := Open(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Claim(t.Context())
	if want := fmt.Sprint("process ", os.Getpid()); !errors.Is(err, store.ErrInUse) || runtime.GOOS != "windows" &&
		!strings.Contains(err.Error(), want) {
		t.Errorf("Claim() = %v, want ErrInUse and %q", err, want)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a folder in which not even root can make files: /sys/class of Linux")
	}
	s, err := Open("/sys/class", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wantHead(t, s, 0)
	if _, err := s.Claim(t.Context()); err == nil || !strings.Contains(err.Error(), "/sys/class") {
		t.Errorf("Claim() = %v, want an error with the folder", err)
	}
	if _, err := Open("/dev/null/store", Options{}); err == nil || !strings.Contains(err.Error(), "/dev/null") {
		t.Errorf("Open() = %v, want an error with the folder", err)
	}
}

// A crash between any two steps of sealing, merging, rewriting and dropping loses nothing.
func TestCrashWhileFilesChange(t *testing.T) {
	crash := errors.New("crash")
	for steps := 0; ; steps++ {
		folder := t.TempDir()
		s := claimed(t, folder, Options{NoSync: true, SegmentBytes: 1 << 20})
		fill(t, s, 1, 10)
		b := numbered(11)
		b.Checkpoint = &store.Checkpoint{Index: 11, Body: []byte("eleven")}
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		left := steps
		s.d.Fault = func(string, string) error {
			if left--; left < 0 {
				return crash
			}
			return nil
		}
		err := errors.Join(s.Rewrite(t.Context(), 5, func(l *store.Line) store.Change {
			l.Body = append(l.Body, '!')
			return store.Replace
		}), s.DropEntries(t.Context(), 8))
		s.Close() // writes nothing
		next := claimed(t, folder, Options{NoSync: true})
		wantHead(t, next, 11)
		if c, err := next.Checkpoint(t.Context()); err != nil || c == nil || c.Index != 11 {
			t.Errorf("crash at step %d: Checkpoint() = %v, %v", steps, c, err)
		}
		lines := 0
		for _, room := range []string{"room 0", "room 1", "room 2"} {
			page, err := next.Lines(t.Context(), room, 0, 100)
			if err != nil {
				t.Errorf("crash at step %d: %v", steps, err)
			}
			lines += len(page.Lines)
		}
		if lines != 11 {
			t.Errorf("crash at step %d: %d lines are left, want 11", steps, lines)
		}
		count := 0
		counting := func(store.Entry) error {
			count++
			return nil
		}
		if err := next.Entries(t.Context(), 8, counting); err != nil || count != 3 {
			t.Errorf("crash at step %d: Entries(8) = %v behind %d, want 3", steps, err, count)
		}
		fill(t, next, 12, 12)
		if err := next.DropEntries(t.Context(), 11); err != nil {
			t.Errorf("crash at step %d: DropEntries() = %v", steps, err)
		}
		next.Close()
		if err == nil {
			if steps < 20 {
				t.Errorf("there are %d steps only: do faults work?", steps)
			}
			return
		}
	}
}
