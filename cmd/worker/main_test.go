//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
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

// start starts the command and returns it with its log and address, once it is ready. Of its open files there may
// be as many as limit says, 0 for no other limit than the test's.
func start(t *testing.T, limit int) (command *exec.Cmd, log *os.File, address string) {
	t.Helper()
	command = exec.Command(os.Args[0])
	if limit > 0 {
		command = exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d; exec %q", limit, os.Args[0]))
	}
	command.Env = append(os.Environ(), asWorker+"=1", "PORT=0", "HOST=127.0.0.1", "LOG_FORMAT=text")
	var stderr *os.File
	var err error
	log, stderr, err = os.Pipe()
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
		if _, rest, ok := strings.Cut(lines.Text(), "addr="); ok {
			address, _, _ = strings.Cut(rest, " ")
		}
		if strings.Contains(lines.Text(), "instance ready") {
			return command, log, address
		}
	}
	t.Fatal("the worker has ended before it was ready")
	return nil, nil, ""
}

// A closed terminal and a service manager's reload send SIGHUP. The worker drains, as for SIGTERM.
func TestSignalsEndTheWorkerInOrder(t *testing.T) {
	t.Parallel()
	// A test that nohup started ignores SIGHUP, and the worker would inherit that.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(ignored) })
	for _, sent := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		t.Run(sent.String(), func(t *testing.T) {
			t.Parallel()
			command, log, _ := start(t, 0)
			if err := command.Process.Signal(sent); err != nil {
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
	command, log, _ := start(t, 0)
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

// Clients that no descriptor is left for are refused, and probes and the clients let in are still served.
func TestFewDescriptorsServeProbesAndSessions(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell to lower the limit of open files with")
	}
	_, log, address := start(t, 40)
	var lines strings.Builder
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		_, _ = io.Copy(&lines, log)
	}()
	const handshake = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	var statuses [600]int
	for range 60 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := io.WriteString(conn, handshake); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("a handshake has no answer: %v", err)
		}
		statuses[response.StatusCode]++
	}
	if statuses[http.StatusSwitchingProtocols] < 10 || statuses[http.StatusServiceUnavailable] < 40 {
		t.Errorf("%d clients let in and %d refused, want at least 10 and 40", statuses[http.StatusSwitchingProtocols],
			statuses[http.StatusServiceUnavailable])
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s = %s, want 200", path, response.Status)
		}
	}
	_ = log.SetReadDeadline(time.Now())
	<-logged
	if !strings.Contains(lines.String(), "level=ERROR msg=\"no more connections fit") {
		t.Errorf("the log does not say that clients are refused:\n%s", lines.String())
	}
}
