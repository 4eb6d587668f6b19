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
	"chatapp/internal/waittest"
)

// clientPackages is where the official clients are installed.
const clientPackages = "../socketio/testdata/clients"

// official is an official Socket.IO client in a process of its own.
type official struct {
	name  string
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startOfficial starts an official client and waits until it has its name. It returns nil where
// there is no Node or no such client, unless everything optional is required.
func startOfficial(t *testing.T, url, name string) *official {
	t.Helper()
	packages, err := officialPackages()
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
	silent := time.AfterFunc(patience, func() { _ = node.Process.Kill() })
	defer silent.Stop()
	if !o.lines.Scan() || o.lines.Text() != "named" {
		t.Fatalf("the official client prints %q, %v, want that it is named", o.lines.Text(), o.lines.Err())
	}
	return o
}

// officialPackages returns the folder of the official clients' packages, if Node can run them.
func officialPackages() (string, error) {
	packages, err := filepath.Abs(clientPackages)
	if err == nil {
		_, err = exec.LookPath("node")
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(packages, "node_modules", "socket.io-client"))
	}
	return packages, err
}

// record waits until the client is connected and has received so many messages, and returns its record.
func (o *official) record(t *testing.T, messages int) chatcheck.Record {
	t.Helper()
	var r struct {
		chatcheck.Record
		Connected bool
	}
	waittest.UntilNil(t, "the official client has received everything", func() error {
		if _, err := io.WriteString(o.stdin, "record\n"); err != nil {
			t.Fatal(err)
		}
		if !o.lines.Scan() {
			t.Fatalf("the official client does not print its record: %v", o.lines.Err())
		}
		r.Record, r.Connected = chatcheck.Record{}, false
		if err := json.Unmarshal(o.lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		received := 0
		for _, l := range r.Lines {
			if l.Kind == "message" {
				received++
			}
		}
		if !r.Connected || received < messages {
			return fmt.Errorf("connected: %v, %d of %d messages", r.Connected, received, messages)
		}
		return nil
	})
	r.Name = o.name
	return r.Record
}

// A rolling restart replaces all instances, one after the other, as a new version does. All users
// go on, official clients too, and they do not all reconnect at once.
func TestRollingRestartLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, longHold)
	c.start(t, startProcess, "a", "b", "c")
	p := startProxy(t, c.instances)
	c.populate(t, []string{p.url()})
	node := startOfficial(t, p.url(), "official")
	began := time.Now()
	for _, old := range slices.Clone(c.instances) {
		c.round(t, func() {
			old.stop()
			c.remove(old)
			c.replace(t, old, "new-"+old.name[:1])
		})
	}
	reconnects := 0
	for n, user := range c.users {
		if state := user.State(); state.Reconnects == 0 {
			t.Errorf("user %d was never moved", n)
		} else {
			reconnects += state.Reconnects
		}
	}
	// The users of an instance move spread over its drain. On a busy machine they come in bursts
	// all the same.
	share := len(c.users) / len(c.instances)
	busiest := p.busiest(began)
	t.Logf("%d reconnects of %d users; at most %d connections within a second", reconnects, len(c.users), busiest)
	if *full && busiest > 2*share {
		t.Errorf("%d connections within a second, want no storm of more than %d", busiest, 2*share)
	}
	if node != nil {
		sent := 0
		for _, user := range c.users[:senders] {
			sent += len(user.Record().Sent)
		}
		r := node.record(t, sent)
		if r.Reconnects == 0 {
			t.Error("the official client's session was never recovered")
		}
		c.others = append(c.others, func() chatcheck.Record { return r })
		c.compare(t)
	}
}
