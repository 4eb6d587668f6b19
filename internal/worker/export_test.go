package worker

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/internal/waittest"
)

// The check says what the store has, or what is wrong with it, and makes no folder.
func TestCheckReadsTheStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	run := func(folder string) (status int, output string) {
		var out strings.Builder
		status = Command(t.Context(), []string{"check"}, env("STORE", folder), &out, io.Discard, nil)
		_, output, _ = strings.Cut(out.String(), "\n\n")
		return status, output
	}
	want := func(when, folder string, wantStatus int, has string) {
		t.Helper()
		if status, out := run(folder); status != wantStatus || !strings.Contains(out, has) {
			t.Errorf("%s: check is %d, %q, want %d, %q", when, status, out, wantStatus, has)
		}
	}
	want("no store", "none", 0, "everything said is gone")
	want("no folder", folder+"/none", 0, "not there yet")
	if _, err := os.Stat(folder + "/none"); err == nil {
		t.Error("check has made the folder")
	}
	w := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	w.join("Ann")
	waittest.Until(t, "Ann's line is stored", func() bool {
		status, out := run(folder)
		return status == 0 && strings.Contains(out, folder+": log up to entry") && !strings.Contains(out, "line 0;")
	})
	w.end()
	logs, err := filepath.Glob(folder + "/log-*")
	if err != nil || len(logs) == 0 {
		t.Fatalf("the store has the logs %v, %v", logs, err)
	}
	if err := os.WriteFile(logs[len(logs)-1], []byte("scribble"), 0o600); err != nil {
		t.Fatal(err)
	}
	want("a damaged log", folder, exitUsage, "a start waits:\nopen the store: read "+logs[len(logs)-1])
}

// The command prints a room or a user from the folder that a worker is writing.
func TestExport(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	w := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	ann, bob := w.join("Ann"), w.join("Bob")
	ann.send(`{"event":"user message","args":["from <Ann>"],"id":3}`)
	ann.want(`{"ack":3,`)
	ann.send(`{"event":"rename","args":["Anna"],"id":4}`)
	ann.want(`{"ack":4,`)
	bob.send(`{"event":"user message","args":["from Bob"],"id":3}`)
	bob.want(`{"ack":3,`)
	run := func(args ...string) (status int, stdout, stderr string) {
		var out, log strings.Builder
		settings := env("STORE", folder, "GOGC", "100")
		status = Command(t.Context(), append([]string{"export"}, args...), settings, &out, &log, nil)
		return status, out.String(), log.String()
	}
	var number string
	waittest.Until(t, "all is stored", func() bool {
		_, out, _ := run("room", "Lobby")
		_, joined, _ := strings.Cut(out, "Ann connected")
		_, number, _ = strings.Cut(joined, `"user":"`)
		number, _, _ = strings.Cut(number, `"`)
		return strings.Count(out, "\n") == 5 && strings.Index(out, "from Bob") < strings.Index(out, "from <Ann>")
	})
	for _, test := range []struct {
		args  []string
		lines int
		has   string
	}{
		{[]string{"user", "ann"}, 3, `"text":"from <Ann>"`},
		{[]string{"user", "anna"}, 1, `"was":"Ann"`},
		{[]string{"user", "#" + number}, 3, `"kind":"message"`},
		{[]string{"user", "Bob"}, 2, `"room":"lobby"`},
		{[]string{"room", "garden"}, 0, ""},
	} {
		status, out, log := run(test.args...)
		if status != 0 || strings.Count(out, "\n") != test.lines || !strings.Contains(out, test.has) {
			t.Errorf("export %v is %d, %s%s, want %d lines with %s", test.args, status, out, log, test.lines, test.has)
		}
	}
	for _, args := range [][]string{nil, {"room"}, {"user", ""}, {"user", "#x"}, {"house", "x"}, {"user", "a", "b"}} {
		if status, out, log := run(args...); status != exitUsage || out != "" || !strings.Contains(log, "export") {
			t.Errorf("export %v is %d, %s%s, want a usage error", args, status, out, log)
		}
	}
	var log strings.Builder
	status := Command(t.Context(), []string{"export", "room", "x"}, env("STORE", folder+"/none"), io.Discard, &log, nil)
	if status != exitUsage || !strings.Contains(log.String(), "no such file") {
		t.Errorf("export of a folder that is not there is %d, %s", status, log.String())
	}
}
