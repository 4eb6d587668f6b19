//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// terminal is where a test runs the local cluster: it types commands and keeps what is printed.
type terminal struct {
	t       *testing.T
	input   io.WriteCloser
	address string // of the proxy

	mu    sync.Mutex
	text  []byte
	more  chan struct{} // of size 1: there is more text
	ended chan int      // the exit status
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.text = append(s.text, p...)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// printed returns what has been printed from an offset on.
func (s *terminal) printed(from int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text[from:])
}

// await waits until a pattern has been printed after an offset, and returns its submatches.
func (s *terminal) await(from int, pattern string) []string {
	s.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		if found := wanted.FindStringSubmatch(s.printed(from)); found != nil {
			return found
		}
		select {
		case <-s.more:
		case <-deadline.C:
			s.t.Fatalf("%q was not printed; from there on was\n%s", pattern, s.printed(from))
		}
	}
}

// do types a command and waits until all patterns have been printed after it.
func (s *terminal) do(command string, patterns ...string) {
	s.t.Helper()
	from := len(s.printed(0))
	if _, err := io.WriteString(s.input, command+"\n"); err != nil {
		s.t.Fatal(err)
	}
	for _, pattern := range patterns {
		s.await(from, pattern)
	}
}

// status types the status command until its output matches, and returns the submatches.
func (s *terminal) status(pattern string) []string {
	s.t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(wait); ; <-ticker.C {
		from := len(s.printed(0))
		s.do("status", "credits spent there")
		s.do("not a command", "there is no command") // the status has been printed by then
		found := wanted.FindStringSubmatch(s.printed(from))
		if found != nil {
			return found
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the status does not become %q; it is\n%s", pattern, s.printed(from))
		}
	}
}

var freePorts = []string{"-front", "127.0.0.1:0", "-amqp", "127.0.0.1:0", "-http", "127.0.0.1:0"}

func newTerminal(t *testing.T, input io.WriteCloser) *terminal {
	return &terminal{t: t, input: input, more: make(chan struct{}, 1), ended: make(chan int, 1)}
}

// found waits until the proxy's address has been printed.
func (s *terminal) found() {
	s.t.Helper()
	s.address = "127.0.0.1:" + s.await(0, `behind http://localhost:(\d+),`)[1]
}

// startCluster runs the command with n instances and waits until all are ready. The end of the test
// ends it.
func startCluster(t *testing.T, n int, args ...string) *terminal {
	t.Helper()
	stdin, input := io.Pipe()
	s := newTerminal(t, input)
	var stderr bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		all := append(append([]string{"-instances", strconv.Itoa(n)}, freePorts...), args...)
		s.ended <- run(all, os.Getenv, stdin, s, &stderr)
		_ = stdin.Close()
	}()
	t.Cleanup(func() {
		_, _ = io.WriteString(input, "quit\n") // or it has ended
		<-done
		_ = input.Close()
		if stderr.Len() > 0 {
			t.Errorf("standard error: %s", stderr.String())
		}
		if t.Failed() {
			t.Logf("printed:\n%s", s.printed(0))
		}
	})
	s.found()
	for i := 1; i <= n; i++ {
		s.await(0, fmt.Sprintf(`^ %d \| ready at`, i))
	}
	return s
}

// number returns the number of the instance that a user is connected to.
func number(t *testing.T, c *user) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(c.instance, "local-%d-", &n); err != nil {
		t.Fatalf("%s is at %q: %v", c.name, c.instance, err)
	}
	return n
}

// dialogue is two users who check after each step that each has received every message of the other
// once, in order.
type dialogue struct {
	ann, bob         *user
	fromAnn, fromBob []string
}

func (d *dialogue) talk(about string) {
	d.ann.t.Helper()
	d.ann.says(about + "?")
	d.bob.says(about + "!")
	d.fromAnn = append(d.fromAnn, "ann: "+about+"?")
	d.fromBob = append(d.fromBob, "bob: "+about+"!")
	d.check()
}

func (d *dialogue) check() {
	d.ann.t.Helper()
	d.bob.hears(d.fromAnn[len(d.fromAnn)-1])
	d.ann.hears(d.fromBob[len(d.fromBob)-1])
	d.bob.wantHeard(d.fromAnn)
	d.ann.wantHeard(d.fromBob)
}

// TestCluster gives the local cluster every command while two users on two instances chat.
func TestCluster(t *testing.T) {
	t.Setenv("MESSAGE_RATE", "0")
	t.Setenv("DRAIN_TIMEOUT", "500ms")
	s := startCluster(t, 3)
	d := &dialogue{ann: join(t, s.address, "ann"), bob: join(t, s.address, "bob")}
	ann, bob := d.ann, d.bob
	if ann.instance == bob.instance {
		t.Errorf("both are at %s, want them on two instances", ann.instance)
	}
	d.talk("hello")

	// Partitioned: messages arrive after the partition.
	s.do(fmt.Sprintf("partition %d", number(t, bob)))
	s.status(fmt.Sprintf(`^ %d \| .*partitioned`, number(t, bob)))
	ann.says("do you hear me?")
	asked := bob.post("user message", "anybody there?")
	s.do("heal")
	for answered := false; !answered; {
		m, err := bob.read()
		if err != nil {
			t.Fatalf("bob's line said in the partition is not acknowledged: %v", err)
		}
		answered = m.AckID == asked
	}
	d.fromAnn, d.fromBob = append(d.fromAnn, "ann: do you hear me?"), append(d.fromBob, "bob: anybody there?")
	d.check()

	s.do("slow 20ms")
	d.talk("slow")
	s.do("heal")
	s.do("drop", `^ \d \| [1-9]\d* connections to the bus broken`)
	d.talk("dropped")
	s.do("restart-bus", "started again")
	d.talk("bus restarted")
	s.do("throttle on")
	s.do("busy 200ms")
	d.talk("busy")
	s.do("throttle off")

	// Paused: the proxy sends no new client there, and connected ones wait.
	n := number(t, bob)
	s.do(fmt.Sprintf("pause %d", n), fmt.Sprintf(`^ %d \| not ready: it does not answer`, n))
	ann.says("are you asleep?")
	d.fromAnn = append(d.fromAnn, "ann: are you asleep?")
	if passer := join(t, s.address, "passer-by"); passer.instance == bob.instance {
		t.Errorf("a newcomer was sent to the paused instance %s", passer.instance)
	}
	s.do(fmt.Sprintf("resume %d", n), fmt.Sprintf(`^ %d \| ready at`, n))
	d.talk("awake")

	// Killed: its users reconnect elsewhere, keep their names and receive what they missed.
	s.do(fmt.Sprintf("kill %d", n), fmt.Sprintf(`^ %d \| ended \(signal: killed\)`, n))
	ann.says("what was that?")
	d.fromAnn = append(d.fromAnn, "ann: what was that?")
	bob.reconnect()
	if number(t, bob) == n {
		t.Errorf("bob is at instance %d again, which was killed", n)
	}
	d.talk("alive")
	s.do(fmt.Sprintf("start %d", n), fmt.Sprintf(`^ %d \| ready at`, n))

	// Drained, and started again.
	n = number(t, ann)
	from := len(s.printed(0))
	s.do(fmt.Sprintf("restart %d", n), fmt.Sprintf(`^ %d \| not ready: draining`, n))
	ann.reconnect()
	if number(t, ann) == n {
		t.Errorf("ann was sent back to instance %d, which drains", n)
	}
	s.await(from, fmt.Sprintf(`^ %d \| ready at`, n))
	d.talk("drained")

	// A process that ends unasked is started again.
	n = number(t, bob)
	pid, err := strconv.Atoi(s.status(fmt.Sprintf(`^ %d \| .*process (\d+)`, n))[1])
	if err != nil {
		t.Fatal(err)
	}
	from = len(s.printed(0))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	bob.reconnect()
	s.await(from, fmt.Sprintf(`^ %d \| ended unexpectedly \(signal: killed\)`, n))
	s.await(from, fmt.Sprintf(`^ %d \| ready at`, n))
	d.talk("died")

	// Fewer, and more.
	from = len(s.printed(0))
	s.do("scale 1", `^ 2 \| ended \(exit status 0\)`, `^ 3 \| ended \(exit status 0\)`)
	for _, c := range []*user{ann, bob} {
		if number(t, c) != 1 {
			c.reconnect()
		}
	}
	d.talk("alone")
	s.do("scale 4", `^ 2 \| ready at`, `^ 3 \| ready at`, `^ 4 \| ready at`)
	s.status("4/4 ready.* connections and 4 subscriptions to the bus") // those of the killed are gone
	d.talk("many")

	addresses := []string{s.address}
	for n := 1; n <= 4; n++ {
		addresses = append(addresses, s.status(fmt.Sprintf(`^ %d \| ready, process \d+ at http://([\d.:]+)`, n))[1])
	}
	interrupt(t)
	if status := <-s.ended; status != 0 {
		t.Errorf("after an interrupt: exit status %d, want 0", status)
	}
	text := s.printed(from)
	if !strings.HasSuffix(text, "stopped\n") {
		t.Errorf("after an interrupt it printed, at the end, %q", text[max(0, len(text)-300):])
	}
	if left := regexp.MustCompile(`left by .*`).FindString(text); left != "" {
		t.Errorf("after an interrupt it printed %q", left)
	}
	wantFree(t, addresses)
}

// wantFree waits until nothing listens at any of the addresses.
func wantFree(t *testing.T, addresses []string) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(wait)
	for _, address := range addresses {
		for {
			listener, err := net.Listen("tcp", address)
			if err == nil {
				_ = listener.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("somebody listens at %s still: %v", address, err)
				break
			}
			<-ticker.C
		}
	}
}

// TestClusterLongPolling has clients whose requests would reach any instance without the proxy's
// cookie.
func TestClusterLongPolling(t *testing.T) {
	t.Parallel()
	s := startCluster(t, 2, "-at", "0s=help")
	s.await(0, `^> help`)
	s.await(0, `^  partition N \[D\] +let nothing pass`)
	for range 4 {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DisableKeepAlives: true}
		client := &http.Client{Jar: jar, Transport: transport, Timeout: wait}
		url := "http://" + s.address + "/socket.io/?EIO=4&transport=polling"
		ask := func(method, url, body, want string) string {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
				t.Fatalf("%s %s = %d %q, %v, want %s", method, url, response.StatusCode, text, err, want)
			}
			return string(text)
		}
		opened := ask(http.MethodGet, url, "", `0{"sid":"`)
		sid, _, _ := strings.Cut(strings.TrimPrefix(opened, `0{"sid":"`), `"`)
		url += "&sid=" + sid
		ask(http.MethodPost, url, "40", "ok")
		ask(http.MethodGet, url, "", `40{"sid":"`)
		ask(http.MethodPost, url, "41\x1e1", "ok")
	}
}

// TestClusterParentKilled kills the command, which can then end nothing itself, while one instance
// is paused.
func TestClusterParentKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("a paused child learns of its parent's death only on Linux")
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), executable, append([]string{"-instances", "2"}, freePorts...)...)
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := newTerminal(t, input)
	cmd.Stdout, cmd.Stderr = s, s
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.found()
	addresses := []string{s.address}
	for n := 1; n <= 2; n++ {
		addresses = append(addresses, s.await(0, fmt.Sprintf(`^ %d \| ready at http://([\d.:]+)`, n))[1])
	}
	s.do("pause 2")
	s.status(`^ 2 \| .*paused`)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // as killed as it was meant to be
	wantFree(t, addresses)
}

// TestClusterPortTaken wants one line that names the port, and that nothing was started.
func TestClusterPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, name := range []string{"-front", "-amqp"} {
		args := append([]string{"-instances", "1"}, freePorts...)
		for i := range args {
			if args[i] == name {
				args[i+1] = taken.Addr().String()
			}
		}
		var stdout, stderr bytes.Buffer
		status := run(args, noEnv, strings.NewReader(""), &stdout, &stderr)
		line := strings.TrimSpace(stderr.String())
		if status != exitFailure || strings.Contains(line, "\n") ||
			!strings.Contains(line, taken.Addr().String()) || stdout.Len() > 0 {
			t.Errorf("with the port of %s taken: status %d, %q and %q, want %d and one line",
				name, status, stdout.String(), line, exitFailure)
		}
	}
}

// TestLaunch replaces the program that opens a browser, and then removes it.
func TestLaunch(t *testing.T) {
	if name := browserCommand("")[0]; name != "xdg-open" {
		t.Skipf("%s is no program that a test may stand in for", name)
	}
	folder := t.TempDir()
	opened := filepath.Join(folder, "opened")
	script := fmt.Sprintf("#!/bin/sh\nprintf %%s \"$1\" > %s.new && /bin/mv %s.new %s\n", opened, opened, opened)
	if err := os.WriteFile(filepath.Join(folder, "xdg-open"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	s := startCluster(t, 1, "-launch")
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(wait); ; <-ticker.C {
		got, err := os.ReadFile(opened)
		if want := strings.Replace(s.address, "127.0.0.1", "http://localhost", 1); err == nil && string(got) != want {
			t.Errorf("opened %q, want %q", got, want)
		}
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no browser was opened")
		}
	}
	t.Setenv("PATH", t.TempDir())
	openBrowser("http://localhost:1", newConsole(s, os.Getenv))
	s.await(0, "No browser opened .*: open http://localhost:1 yourself")
}
