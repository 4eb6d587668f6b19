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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
)

// startProcess starts a worker in a process of its own.
func startProcess(t *testing.T, e *emulatortest.Server, replica string, port int) *instance {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{cmd: exec.Command(executable)}
	i.cmd.Env = append(os.Environ(), asWorker+"=1")
	for name, value := range environment(t, e, replica, port) {
		i.cmd.Env = append(i.cmd.Env, name+"="+value)
	}
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
	ended := false
	i.end = func() {
		if ended {
			return
		}
		ended = true
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // or it has ended already
		kill := time.AfterFunc(patience, func() { _ = i.cmd.Process.Kill() })
		defer kill.Stop()
		<-read
		_ = i.cmd.Wait() // its status is of no interest: it may have been killed
	}
	t.Cleanup(i.end)
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

// readLog reads a process's log to its end: where it listens, and what to look at.
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

// startProcesses starts a cluster of worker processes.
func startProcesses(t *testing.T, names ...string) *site {
	t.Helper()
	s := &site{emulator: emulatortest.Start(t)}
	for _, name := range names {
		s.instances = append(s.instances, startProcess(t, s.emulator, name, 0))
		s.instances[0].ready(t)
	}
	for _, i := range s.instances {
		i.ready(t)
	}
	return s
}

// lose has some users of an instance vanish for ever, and returns how many: those who only listen.
func (s *site) lose(at *instance, n int) {
	for _, c := range s.users[writers:] {
		if n > 0 && !s.lost[c.Name()] && c.State().Instance == at.name {
			c.Vanish()
			s.lost[c.Name()] = true
			n--
		}
	}
}

// restart has another instance take the place and the address of one that has ended, as users know no other. It ends with t.
func (s *site) restart(t *testing.T, old *instance, name string) {
	t.Helper()
	i := startProcess(t, s.emulator, name, old.port)
	i.ready(t)
	s.instances = append(s.instances, i)
}

// Whatever happens to an instance, its users go on at the others, and those of them who don't come back leave once.
func TestInstances(t *testing.T) {
	whole := t
	s := startProcesses(t, "a", "b", "c")
	s.populate(t, s.urls())
	t.Run("paused", func(t *testing.T) {
		frozen := s.instances[1]
		s.round(t, func() {
			frozen.signal(t, syscall.SIGSTOP)
			s.lose(frozen, 2)
			pause(t, scaled(20*time.Second, 14*time.Second))
			frozen.signal(t, syscall.SIGCONT)
			frozen.ready(t)
		})
	})
	t.Run("killed", func(t *testing.T) {
		dead := s.instances[2]
		s.round(t, func() {
			dead.signal(t, syscall.SIGSTOP) // so that it cannot tell of the users it loses
			s.lose(dead, 2)
			dead.signal(t, syscall.SIGKILL)
			dead.end()
			s.instances = slices.Delete(s.instances, 2, 3)
		})
		s.restart(whole, dead, "d")
	})
	t.Run("drained", func(t *testing.T) {
		old := s.instances[0]
		s.round(t, func() {
			old.end() // by SIGTERM
			s.instances = slices.Delete(s.instances, 0, 1)
		})
	})
}
