package worker

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/store/embedded"
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

// What a forgotten user has said is in no file of the store an upkeep later, although others' messages are.
func TestForgottenUserIsInNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	w := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	ann, bob := w.join("Annabel"), w.join("Bob")
	for _, said := range []struct {
		by   *user
		text string
	}{{ann, "secret"}, {bob, "of-Bob"}, {ann, "secret"}} {
		said.by.send(`{"event":"user message","args":["` + said.text + `"],"id":3}`)
		said.by.want(`{"ack":3,"args":[{"ok":true`)
	}
	if !contains(t, folder, "secret") || !contains(t, folder, "Annabel") {
		t.Fatal("the store's files do not have what was said: this test can't find it")
	}
	ann.send(`{"event":"forget me","args":[],"id":4}`)
	ann.want(`{"ack":4,"args":[{"ok":true,"by":`)
	waittest.Until(t, "no file has the name or what was said", func() bool {
		return !contains(t, folder, "secret") && !contains(t, folder, "Annabel")
	})
	waittest.Until(t, "the log says so", func() bool { return w.worker.chat.Upkeep().Index == 0 })
	bob.send(`{"event":"history","args":[],"id":5}`)
	if got := bob.want(`{"ack":5,`); !strings.Contains(got, `"kind":"forgotten"`) || !strings.Contains(got, "of-Bob") {
		t.Errorf("history is %s, want Bob's message and forgotten ones", got)
	}
	_, _ = ann.conn.Close(), bob.conn.Close()
	w.end()
	again := start(t, nil, "", "STORE", folder, "DRAIN_TIMEOUT", "0s")
	eve := again.connect(nil)
	if got := eve.want(`{"event":"history"`); strings.Contains(got, "secret") || !strings.Contains(got, "of-Bob") {
		t.Errorf("after a restart history is %s", got)
	}
}

// contains reports whether a file of a folder has a text.
func contains(t *testing.T, folder, text string) bool {
	t.Helper()
	found := false
	err := fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // it has been removed
		}
		content, err := os.ReadFile(filepath.Join(folder, name))
		found = found || err == nil && bytes.Contains(content, []byte(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// When all workers on Service Bus have ended at once, the next one has what was acknowledged: from the store, and from
// the archive what was not stored yet. What is stored does not stay in the archive.
func TestAcknowledgedMessageOutlivesTheCluster(t *testing.T) {
	t.Parallel()
	e := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	settings := []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", e.ConnectionString(), "EMULATOR_HTTP_PORT", port,
		"DRAIN_TIMEOUT", "0s", "STORE"}
	first, second := start(t, nil, "", append(settings, folder)...), start(t, nil, "", append(settings, folder)...)
	ann, bob := first.join("Ann"), second.join("Bob")
	say := func(user *user, text string) (answer string) {
		user.send(`{"event":"user message","args":["` + text + `"],"id":2}`)
		return user.want(`{"ack":2,"args":[{"ok":true`)
	}
	say(ann, "stored")
	archived := func() int64 {
		subscriptions, err := e.Broker().Subscriptions("chat")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range subscriptions {
			if s.Name == "archive" {
				return s.Active
			}
		}
		t.Fatalf("there is no archive among %v", subscriptions)
		return 0
	}
	waittest.Until(t, "everything is stored", func() bool { return archived() == 0 })
	say(bob, "from Bob")
	_, _ = ann.conn.Close(), bob.conn.Close()
	first.end()
	second.end()

	// A process that never ends keeps the folder from being written: only the archive has what is said.
	other, err := embedded.Open(folder, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Claim(t.Context()); err != nil {
		t.Fatal(err)
	}
	third := start(t, nil, "", append(settings, folder)...)
	eve := third.join("Eve")
	for path, has := range map[string]string{"/readyz": "another process writes the store: messages wait on the bus",
		"/metrics": "\nchat_store_saved 0\n"} {
		waittest.Until(t, path+" tells that the store does not work", func() bool {
			text, err := io.ReadAll(third.get(path).Body)
			return err == nil && strings.Contains(string(text), has)
		})
	}
	if answer := say(eve, "archived"); strings.Contains(answer, "unsaved") {
		t.Errorf("the answer is %s, though the bus keeps the message", answer)
	}
	_ = eve.conn.Close()
	third.end()
	if archived() == 0 {
		t.Error("the archive is empty, though nothing was stored")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	last := start(t, nil, "", append(settings, folder)...)
	history := last.connect(nil).want(`{"event":"history"`)
	for _, text := range []string{"stored", "from Bob", "archived"} {
		if strings.Count(history, `"text":"`+text+`"`) != 1 {
			t.Errorf("the history is %s, want %q in it once", history, text)
		}
	}
	last.end()
}
