//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asWorker makes the test binary the command itself.
const asWorker = "CHATAPP_TEST_AS_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// start starts the command and returns it with its log, once it is ready.
func start(t *testing.T) (*exec.Cmd, *os.File) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asWorker+"=1", "PORT=0", "HOST=127.0.0.1", "LOG_FORMAT=text")
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = log.Close()
	})
	_ = stderr.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), "instance ready") {
			return command, log
		}
	}
	t.Fatal("the worker has ended before it was ready")
	return nil, nil
}

// A closed terminal and a service manager's reload send SIGHUP. The worker drains, as for SIGTERM.
func TestSignalsEndTheWorkerInOrder(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			command, log := start(t)
			if err := command.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			var drained bool
			for lines := bufio.NewScanner(log); lines.Scan(); {
				drained = drained || strings.Contains(lines.Text(), "msg=draining")
			}
			if err := command.Wait(); err != nil || !drained {
				t.Errorf("the worker has ended with %v, drained: %v; want an orderly end", err, drained)
			}
		})
	}
}

// The reader of the log ends, for example a log collector that restarts. Every line after that meets a
// closed pipe.
func TestWorkerOutlivesTheReaderOfItsLog(t *testing.T) {
	t.Parallel()
	command, log := start(t)
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("the worker has ended with %v, want an orderly end", err)
	}
}
