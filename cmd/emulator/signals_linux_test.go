package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal of 24 rows, and returns the side that a person has and the side that programs have.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	return person, program
}

// However the local cluster ends, all rows of the terminal scroll again.
func TestTerminalIsGivenBack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		again  bool // the signal is sent until the command has ended
		status int
	}{
		{"Ctrl-C", syscall.SIGINT, false, 0},
		{"Ctrl-C twice", syscall.SIGINT, true, endedBySignal},
		{`Ctrl-\`, syscall.SIGQUIT, false, exitPanic},
		{"terminal closed", syscall.SIGHUP, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.signal != syscall.SIGINT && signal.Ignored(tt.signal) {
				t.Skipf("%v is ignored where the tests run", tt.signal)
			}
			person, program := openTerminal(t)
			executable, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), executable, append([]string{"-instances", "1"}, freePorts...)...)
			cmd.Env = append(os.Environ(), mainVariable+"=1", "TERM=xterm", "NO_COLOR=1", "GOTRACEBACK=none")
			input, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdout, cmd.Stderr = program, program
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			program.Close()
			s := newTerminal(t, input)
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = io.Copy(s, person) // until nobody has the terminal any more
			}()
			s.await(0, ` 1 \| ready at`)
			s.await(0, `\x1b\[1;23r`)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for sent, over := 0, false; !over; {
				if sent == 0 || tt.again {
					_ = cmd.Process.Signal(tt.signal) // or it has ended
					sent++
				}
				select {
				case <-ended:
					over = true
				case <-ticker.C:
				}
			}
			<-read
			status := cmd.ProcessState.ExitCode()
			if status != tt.status && !(tt.status == endedBySignal && status == exitSignal) {
				t.Errorf("it ended with status %d, want %d", status, tt.status)
			}
			text := s.printed(0)
			if taken, given := strings.LastIndex(text, "\x1b[1;23r"), strings.LastIndex(text, "\x1b[r"); given < taken {
				t.Errorf("the last row was not given back; the output ends with %q", text[max(0, len(text)-300):])
			}
		})
	}
}

// Exit statuses beside the command's own.
const (
	exitPanic     = 2  // of Go's runtime, after SIGQUIT
	endedBySignal = -1 // os/exec's
)
