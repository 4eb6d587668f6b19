package worker

import (
	"io"
	"os"
	"strings"
	"testing"

	"chatapp/internal/waittest"
)

// What a worker without Service Bus has acknowledged is in its folder by then. A worker that starts on a copy of the
// folder, as it is while the first one still runs, has the messages and the names.
func TestAcknowledgedMessageOutlivesTheWorker(t *testing.T) {
	t.Parallel()
	folder, copied := t.TempDir(), t.TempDir()+"/copy"
	first := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	ann := first.join("Ann")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	ann.want(`{"ack":2,"args":[{"ok":true`)
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	first.end()
	for _, name := range []string{"Bob", "Eve"} {
		next := start(t, nil, "", "STORE", copied, "DRAIN_TIMEOUT", "0s")
		user := next.connect(nil)
		if history := user.want(`{"event":"history"`); strings.Count(history, `"text":"hello"`) != 1 {
			t.Errorf("%s receives the history %s, want the message in it", name, history)
		}
		user.send(`{"event":"nickname","args":["Ann"],"id":1}`)
		user.want(`{"ack":1,"args":[true,`)
		user.send(`{"event":"nickname","args":["` + name + `"],"id":2}`)
		user.want(`{"ack":2,"args":[false,`)
		_ = user.conn.Close()
		next.end()
	}
}

// Two workers in one folder both serve. The one that can't write says so.
func TestWorkerSaysThatNothingIsSaved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	second := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	waittest.Until(t, "the second one says that nothing is saved", func() bool {
		text, err := io.ReadAll(second.get("/readyz").Body)
		return err == nil && strings.Contains(string(text), "another process writes the store")
	})
	ann := second.join("Ann")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	if ack := ann.want(`{"ack":2,"args":[{"ok":true`); !strings.Contains(ack, `"unsaved":true`) {
		t.Errorf("the answer is %s, want it to say that the message is not saved", ack)
	}
}
