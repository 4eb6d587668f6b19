package worker

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"chatapp/internal/store"
	"chatapp/internal/store/embedded"
	"chatapp/internal/waittest"
)

// A worker that is told to skip an entry of its store leaves it out, and so do all that start later.
func TestVoidEntryIsLeftOutForGood(t *testing.T) {
	t.Parallel()
	folder, copied := t.TempDir(), t.TempDir()+"/copy"
	first := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	ann := first.join("Ann")
	for _, text := range []string{"one", "poison", "three"} {
		ann.send(`{"event":"user message","args":["` + text + `"],"id":2}`)
		ann.want(`{"ack":2,"args":[{"ok":true`)
	}
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil { // what a crash leaves
		t.Fatal(err)
	}
	_ = ann.conn.Close()
	index, checkpoint := find(t, copied, "poison")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := &logBuffer{out: t.Output()}
	ended := make(chan int)
	go func() {
		settings := env("STORE", copied, "DRAIN_TIMEOUT", "0s", "GOGC", "100", "LOG_FORMAT", "text")
		loopback := func(Config) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
		ended <- Command(ctx, []string{"void", fmt.Sprint(index)}, settings, log, log, loopback)
	}()
	waittest.Until(t, "a checkpoint without the entry is stored", func() bool {
		_, now := find(t, copied, "")
		return now > checkpoint
	})
	stop()
	if status := <-ended; status != 0 || !log.contains("skipped by hand") {
		t.Errorf("void ends with %d, want 0 and the entry named in the log", status)
	}
	next := start(t, nil, "", "STORE", copied, "DRAIN_TIMEOUT", "0s")
	history := next.connect(nil).want(`{"event":"history"`)
	if !strings.Contains(history, "one") || strings.Contains(history, "poison") || !strings.Contains(history, "three") {
		t.Errorf("history is %s, want all but what was skipped", history)
	}
	for _, args := range [][]string{{"void"}, {"void", "0"}, {"void", "x"}, {"void", "1", "2"}} {
		if status := Command(ctx, args, env(), log, log, nil); status != exitUsage {
			t.Errorf("%v is %d, want a usage error", args, status)
		}
	}
}

// find returns the index of the first entry in a folder that has a text, and that of the checkpoint.
func find(t *testing.T, folder, text string) (index, checkpoint uint64) {
	t.Helper()
	s, err := embedded.Open(folder, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Checkpoint(t.Context())
	if err != nil || c == nil {
		t.Fatalf("checkpoint %v, %v", c, err)
	}
	err = s.Entries(t.Context(), c.Index, func(e store.Entry) error {
		if index == 0 && bytes.Contains(e.Body, []byte(text)) {
			index = e.Index
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return index, c.Index
}
