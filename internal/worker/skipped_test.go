package worker

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/internal/backplane"
)

func TestSkippedEntriesAreSaved(t *testing.T) {
	var log bytes.Buffer
	s := &skippedEntries{dir: t.TempDir(), instance: "a/b", log: slog.New(slog.NewTextHandler(&log, nil))}
	for index := range uint64(2 * maxSkippedSaved) {
		s.save(backplane.Entry{Instance: "c", Index: index, Body: []byte("body")}, errors.New("poison"))
	}
	s.save(backplane.Entry{Instance: "c", Index: 999}, errors.New("no body"))
	files, err := os.ReadDir(s.dir)
	if err != nil || len(files) != maxSkippedSaved {
		t.Fatalf("%d files are written, %v, want %d", len(files), err, maxSkippedSaved)
	}
	path := filepath.Join(s.dir, "chatapp-skipped-a-b-7.cbor")
	if got, err := os.ReadFile(path); err != nil || string(got) != "body" {
		t.Errorf("file of entry 7 has %q, %v, want its body", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of entry 7 is %v, %v, want it readable by its owner alone", info, err)
	}
	if !strings.Contains(log.String(), "index=7") || !strings.Contains(log.String(), "reason=poison") {
		t.Errorf("log is %q, want the index and the reason in it", log.String())
	}
}
