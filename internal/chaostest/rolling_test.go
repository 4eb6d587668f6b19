//go:build unix

package chaostest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
)

// clientPackages is where the official clients are installed.
const clientPackages = "../socketio/testdata/clients"

// official is an official Socket.IO client in a process of its own.
type official struct {
	name  string
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startOfficial starts one and waits until it has its name; nil where there is no Node or no such client, unless everything optional is
// required.
func startOfficial(t *testing.T, url, name string) *official {
	t.Helper()
	packages, err := filepath.Abs(clientPackages)
	if err != nil {
		t.Fatal(err)
	}
	_, err = exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(packages, "node_modules", "socket.io-client"))
	}
	if err != nil {
		if os.Getenv("CHATAPP_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Logf("without an official client (npm ci in %s): %v", clientPackages, err)
		return nil
	}
	node := exec.Command("node", "testdata/client.mjs", url, name, packages)
	node.Stderr = t.Output()
	o := &official{name: name}
	if o.stdin, err = node.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.stdin.Close()
		kill := time.AfterFunc(patience, func() { _ = node.Process.Kill() })
		defer kill.Stop()
		_ = node.Wait()
	})
	o.lines = bufio.NewScanner(stdout)
	o.lines.Buffer(nil, 64<<20)
	deaf := time.AfterFunc(patience, func() { _ = node.Process.Kill() })
	defer deaf.Stop()
	if !o.lines.Scan() || o.lines.Text() != "named" {
		t.Fatalf("the official client says %q, %v, want that it is named", o.lines.Text(), o.lines.Err())
	}
	return o
}

// record waits until the client is connected and has heard so many messages, and returns what it remembers.
func (o *official) record(t *testing.T, messages int) chatcheck.Record {
	t.Helper()
	var r struct {
		chatcheck.Record
		Connected bool
	}
	until(t, "the official client has heard everything", func() error {
		if _, err := io.WriteString(o.stdin, "tell\n"); err != nil {
			t.Fatal(err)
		}
		if !o.lines.Scan() {
			t.Fatalf("the official client does not tell what it remembers: %v", o.lines.Err())
		}
		r.Record, r.Connected = chatcheck.Record{}, false
		if err := json.Unmarshal(o.lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		heard := 0
		for _, l := range r.Lines {
			if l.Kind == "message" {
				heard++
			}
		}
		if !r.Connected || heard < messages {
			return fmt.Errorf("connected: %v, %d of %d messages", r.Connected, heard, messages)
		}
		return nil
	})
	r.Name = o.name
	return r.Record
}

// All instances are replaced, one after the other, as for a new version: everybody goes on, official clients too, and not all at once.
func TestRollingRestart(t *testing.T) {
	s := startProcesses(t, "a", "b", "c")
	f := startFront(t, s.instances)
	s.populate(t, []string{f.url()})
	node := startOfficial(t, f.url(), "official")
	began := time.Now()
	for _, old := range slices.Clone(s.instances) {
		s.round(t, func() {
			old.end()
			s.instances = slices.DeleteFunc(s.instances, func(i *instance) bool { return i == old })
			s.restart(t, old, "new-"+old.name[:1])
		})
	}
	returns := 0
	for n, c := range s.users {
		if state := c.State(); state.Returns == 0 {
			t.Errorf("user %d was never moved", n)
		} else {
			returns += state.Returns
		}
	}
	// All of an instance's users move within its drain, or, were they not spread over that, within a moment. On a machine with more to do
	// they come in bursts all the same.
	share := len(s.users) / len(s.instances)
	busiest := f.busiest(began)
	t.Logf("%d returns of %d users; at most %d connections within a second", returns, len(s.users), busiest)
	if *full && busiest > 2*share {
		t.Errorf("%d connections within a second, want no storm of more than %d", busiest, 2*share)
	}
	if node != nil {
		said := 0
		for _, c := range s.users[:writers] {
			said += len(c.Record().Said)
		}
		r := node.record(t, said)
		if r.Returns == 0 {
			t.Error("the official client was never recovered")
		}
		s.others = append(s.others, func() chatcheck.Record { return r })
		s.judge(t)
	}
}
