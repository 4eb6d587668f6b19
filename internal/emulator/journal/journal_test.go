package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// read opens a folder and returns its records. The journal is closed again.
func read(dir string) ([]string, error) {
	var records []string
	j, err := Open(dir, Options{}, func(record []byte) error {
		records = append(records, string(record))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return records, j.Close()
}

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o, func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantRecords(t testing.TB, dir string, want ...string) {
	t.Helper()
	if got, err := read(dir); err != nil || !slices.Equal(got, want) {
		t.Errorf("the folder has %q, %v, want %q", got, err, want)
	}
}

func path(dir, name string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016x", name, number))
}

func TestTornEndIsCut(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	var ends []int
	var want []string
	for i := range 5 {
		want = append(want, strings.Repeat(fmt.Sprint(i), 1+3*i))
		j.Append([]byte(want[i]))
		must(t, j.Sync())
		ends = append(ends, int(j.log.end))
	}
	must(t, j.Close())
	whole, err := os.ReadFile(path(dir, nameLog, 1))
	must(t, err)
	for cut := headSize; cut <= len(whole); cut++ {
		for _, garbage := range []string{"", "\x00\x00\x00", "ooooooooooo"} {
			whole := append(bytes.Clone(whole[:cut]), garbage...)
			must(t, os.WriteFile(path(dir, nameLog, 1), whole, 0o600))
			n := 0
			for n < len(ends) && ends[n] <= cut {
				n++
			}
			wantRecords(t, dir, want[:n]...)
			wantRecords(t, dir, want[:n]...) // after the cut
		}
	}
}

func TestDamageIsAnError(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for i := range 3 {
		j.Append(fmt.Appendf(nil, "record %d", i))
	}
	must(t, j.Close())
	whole, err := os.ReadFile(path(dir, nameLog, 1))
	must(t, err)
	for at := range len(whole) - 20 { // the last record may be torn
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		must(t, os.WriteFile(path(dir, nameLog, 1), damaged, 0o600))
		if got, err := read(dir); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Fatalf("with byte %d changed the folder has %q, %v, want an error", at, got, err)
		}
		if now, err := os.ReadFile(path(dir, nameLog, 1)); err != nil || !bytes.Equal(now, damaged) {
			t.Fatalf("the damaged file was changed")
		}
	}
}

func TestSnapshotTakesThePlaceOfRecords(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{Slack: 100})
	j.Append([]byte("old"))
	must(t, j.Sync())
	if j.Due() {
		t.Error("Due() after a few bytes")
	}
	j.Append(make([]byte, 200))
	must(t, j.Sync())
	if !j.Due() {
		t.Error("Due() = false after more than Slack")
	}
	s, err := j.Snapshot()
	must(t, err)
	j.Append([]byte("meanwhile"))
	must(t, j.Sync())
	before := t.TempDir()
	must(t, os.CopyFS(before, os.DirFS(dir)))
	wantRecords(t, before, "old", string(make([]byte, 200)), "meanwhile")
	s.Add([]byte("state"))
	s.Add([]byte("more"))
	older := t.TempDir()
	must(t, os.CopyFS(older, os.DirFS(dir)))
	must(t, s.Commit())
	if j.Due() {
		t.Error("Due() after the snapshot")
	}
	j.Append([]byte("new"))
	must(t, j.Close())
	wantRecords(t, dir, "state", "more", "meanwhile", "new")
	names, err := filepath.Glob(filepath.Join(dir, "*-*"))
	must(t, err)
	if want := []string{path(dir, nameLog, 2), path(dir, nameSnapshot, 2)}; !slices.Equal(names, want) {
		t.Errorf("the folder has %q, want %q", names, want)
	}
	// a crash after the renaming, before the removing
	must(t, os.WriteFile(path(older, nameSnapshot, 2), must2(os.ReadFile(path(dir, nameSnapshot, 2))), 0o600))
	wantRecords(t, older, "state", "more", "meanwhile")

	must(t, os.Remove(path(dir, nameLog, 2)))
	if _, err := read(dir); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without its log: %v, want that it is missing", err)
	}
	must(t, Remove(older))
	wantRecords(t, older)
}

func must2(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestTruncatedSnapshotIsAnError(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	s, err := j.Snapshot()
	must(t, err)
	s.Add([]byte("one"))
	s.Add([]byte("two"))
	must(t, s.Commit())
	must(t, j.Close())
	whole := must2(os.ReadFile(path(dir, nameSnapshot, 2)))
	for cut := range whole {
		must(t, os.WriteFile(path(dir, nameSnapshot, 2), whole[:cut], 0o600))
		if got, err := read(dir); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d of %d: %q, %v, want ErrCorrupt", cut, len(whole), got, err)
		}
	}
}

// TestWaitingCallersAreWrittenTogether appends records while another is being written.
func TestWaitingCallersAreWrittenTogether(t *testing.T) {
	dir := t.TempDir()
	const others = 20
	var appended, synced sync.WaitGroup
	appended.Add(others)
	writing := make(chan struct{})
	writes := 0
	j := open(t, dir, Options{Fault: func(step, file string) error {
		if step == "write" && strings.HasPrefix(file, nameLog) {
			if writes++; writes == 2 { // the first writes the head of the file
				close(writing)
				appended.Wait()
			}
		}
		return nil
	}})
	one := func(record []byte, mark func()) {
		j.Append(record)
		mark()
		if err := j.Sync(); err != nil {
			t.Error(err)
		}
		if b := must2(os.ReadFile(path(dir, nameLog, 1))); !bytes.Contains(b, record) {
			t.Errorf("%s is not written after Sync", record)
		}
	}
	synced.Go(func() { one([]byte("<first>"), func() {}) })
	<-writing
	for i := range others {
		synced.Go(func() { one(fmt.Appendf(nil, "<%d>", i), appended.Done) })
	}
	synced.Wait()
	if writes != 3 {
		t.Errorf("%d records took %d writes, want one and one for all others", others+1, writes-1)
	}
	must(t, j.Close())
	if got, err := read(dir); err != nil || len(got) != others+1 {
		t.Errorf("the folder has %d records, %v, want %d", len(got), err, others+1)
	}
}

// TestFailedWriteIsTriedAgain has a disk that writes half a record and then none.
func TestFailedWriteIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	broken := false
	failure := errors.New("no space")
	j := open(t, dir, Options{Fault: func(step, file string) error {
		if broken && step == "write" {
			b := must2(os.ReadFile(filepath.Join(dir, file)))
			must(t, os.WriteFile(filepath.Join(dir, file), append(b, "half a rec"...), 0o600))
			return failure
		}
		return nil
	}})
	j.Append([]byte("first"))
	must(t, j.Sync())
	broken = true
	j.Append([]byte("second"))
	if err := j.Sync(); !errors.Is(err, failure) || !j.Failed() {
		t.Errorf("Sync() = %v, Failed() = %v, want the failure", err, j.Failed())
	}
	if err := j.Err(); !errors.Is(err, failure) {
		t.Errorf("Err() = %v, want the failure", err)
	}
	broken = false
	j.Append([]byte("third"))
	must(t, j.Sync())
	if err := j.Err(); err != nil {
		t.Errorf("Err() = %v after a write that succeeded", err)
	}
	must(t, j.Close())
	wantRecords(t, dir, "first", "second", "third")
}

func TestFailedSyncEndsTheJournal(t *testing.T) {
	dir := t.TempDir()
	failure := errors.New("the disk is gone")
	broken := false
	j := open(t, dir, Options{Sync: true, Fault: func(step, _ string) error {
		if broken && step == "sync" {
			return failure
		}
		return nil
	}})
	broken = true
	j.Append([]byte("lost"))
	if err := j.Sync(); !errors.Is(err, failure) {
		t.Errorf("Sync() = %v, want the failure", err)
	}
	broken = false
	if err := j.Sync(); !errors.Is(err, failure) {
		t.Errorf("Sync() after a failed one = %v: nobody knows what the file has", err)
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, err := Open(dir, Options{}, nil)
	must(f, err)
	j.Append([]byte("a record"))
	j.Append([]byte("another"))
	must(f, j.Sync())
	s, err := j.Snapshot()
	must(f, err)
	log := must2(os.ReadFile(path(dir, nameLog, 1)))
	s.Add([]byte("state"))
	must(f, s.Commit())
	must(f, j.Close())
	f.Add(log, true)
	f.Add(must2(os.ReadFile(path(dir, nameSnapshot, 2))), false)
	dir = f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte, isLog bool) {
		must(t, Remove(dir))
		if isLog {
			must(t, os.WriteFile(path(dir, nameLog, 1), b, 0o600))
		} else {
			must(t, os.WriteFile(path(dir, nameSnapshot, 1), b, 0o600))
			must(t, os.WriteFile(path(dir, nameLog, 1), appendHead(nil, kindLog, rand.Uint32()), 0o600))
		}
		first, err := read(dir)
		if err != nil {
			return
		}
		if again, err := read(dir); err != nil || !slices.Equal(first, again) {
			t.Fatalf("read %q, then %q, %v", first, again, err)
		}
	})
}
