package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/worker"
	"chatapp/internal/workertest"
)

// asWorker is the environment variable that turns the test binary into a worker.
const asWorker = "CHATAPP_WEBTEST_WORKER"

// runWorker is a worker process. It returns its exit status.
func runWorker() int {
	return worker.Main(context.Background(), os.Getenv, os.Stderr, worker.Listen)
}

// newSiteWithProcess starts a cluster of two instances on an emulated topic. The first one is a process of its own,
// which kill ends at once: the process says nothing to its clients or to the other instance, and the system resets its
// connections. It returns when the process has ended.
func newSiteWithProcess(t *testing.T, settings ...string) (s *site, kill func()) {
	t.Helper()
	browser(t)
	bus := emulatortest.Start(t)
	_, port, err := net.SplitHostPort(bus.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	settings = append(settings, "AZURE_SERVICEBUS_CONNECTIONSTRING="+bus.ConnectionString(),
		"EMULATOR_HTTP_PORT="+port, "STORE=none")
	named := func(name string, more ...string) []string {
		return append(append(more, "CONTAINER_APP_REPLICA_NAME="+name), settings...)
	}
	s = &site{}
	address, kill := startProcess(t, named(s.nextName(), "HOST=127.0.0.1", "PORT=0"))
	workertest.WaitReady(t, "http://"+address)
	s.proxies = append(s.proxies, newProxy(t, address))
	s.start(t, nil, named(s.nextName()))
	return s, kill
}

// startProcess starts a worker in a process of its own, and returns its address when it listens. The end of the test
// kills the process as well.
func startProcess(t *testing.T, settings []string) (address string, kill func()) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable)
	command.Env = append(append(os.Environ(), asWorker+"=1", "LOG_FORMAT=json"), settings...)
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(log)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line struct{ Level, Msg, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "worker listening" {
				listening <- line.Addr
			}
			if line.Level != "INFO" {
				fmt.Fprintln(t.Output(), lines.Text())
			}
		}
	}()
	kill = sync.OnceFunc(func() {
		_ = command.Process.Kill() // or it has ended already
		<-ended
		_ = command.Wait() // the status says that it was killed
	})
	t.Cleanup(kill)
	select {
	case address = <-listening:
	case <-ended:
		t.Fatal("the worker has ended before it listened")
	case <-time.After(timeout):
		t.Fatalf("the worker does not listen after %v", timeout)
	}
	return address, kill
}
