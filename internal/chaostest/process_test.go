//go:build unix

package chaostest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startProcess starts a worker in a process of its own, and waits until it listens.
func startProcess(t *testing.T, c *cluster, replica string) *instance {
	t.Helper()
	return startProcessAt(t, c, replica, lastingPort(t))
}

// startProcessAt is startProcess with a port.
func startProcessAt(t *testing.T, c *cluster, replica string, port int) *instance {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{cmd: exec.Command(executable)}
	i.cmd.Env = append(append(os.Environ(), asWorker+"=1"), c.settings(t, replica, port)...)
	stderr, err := i.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening, read := make(chan [2]string, 1), make(chan struct{})
	go func() {
		defer close(read)
		readLog(t, replica, stderr, listening)
	}()
	stopped := false
	i.stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // or it has ended already
		kill := time.AfterFunc(patience, func() { _ = i.cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		_ = i.cmd.Wait() // the status does not matter: a test may have killed the process
	}
	t.Cleanup(i.stop)
	select {
	case l := <-listening:
		i.name, i.url = l[0], "http://"+l[1]
	case <-read:
		t.Fatalf("worker %s has ended before it listened", replica)
	case <-time.After(patience):
		t.Fatalf("worker %s does not listen after %v", replica, patience)
	}
	_, text, err := net.SplitHostPort(strings.TrimPrefix(i.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if i.port, err = strconv.Atoi(text); err != nil {
		t.Fatal(err)
	}
	return i
}

// readLog reads a process's log to its end. It sends the process's name and address to listening,
// and passes warnings on to the test's output.
func readLog(t *testing.T, replica string, r io.Reader, listening chan<- [2]string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Level, Msg, Instance, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "worker listening" {
			listening <- [2]string{line.Instance, line.Addr}
		}
		if line.Level != "INFO" || testing.Verbose() {
			fmt.Fprintf(t.Output(), "%s: %s\n", replica, lines.Text())
		}
	}
}

func (i *instance) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := i.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v to %s: %v", s, i.name, err)
	}
}
