package chaostest

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/workertest"
)

// instance is a worker, in this process or in one of its own.
type instance struct {
	name string // in the cluster
	url  string
	port int
	stop func() // drains the worker, and waits for its end
	cmd  *exec.Cmd
}

// The settings of all workers. Heartbeats are short, so that clients notice soon that an instance
// has died.
const (
	heartbeat = 3 * time.Second
	drain     = 4 * time.Second
	nameHold  = 20 * time.Second
)

// settings returns a worker's environment, as NAME=value.
func settings(t *testing.T, e *emulatortest.Server, replica string, port int) []string {
	_, httpPort, err := net.SplitHostPort(e.HTTPAddress())
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"PORT=" + strconv.Itoa(port),
		"AZURE_SERVICEBUS_CONNECTIONSTRING=" + e.ConnectionString(),
		"EMULATOR_HTTP_PORT=" + httpPort,
		"CONTAINER_APP_REPLICA_NAME=" + replica,
		"PING_INTERVAL=" + heartbeat.String(),
		"PING_TIMEOUT=" + heartbeat.String(),
		"NAME_HOLD=" + nameHold.String(),
		"MESSAGE_RATE=0",
		"DRAIN_TIMEOUT=" + drain.String(),
		"LOG_FORMAT=json",
	}
}

// startWorker starts a worker in this process. It does not wait until the worker is ready.
func startWorker(t *testing.T, e *emulatortest.Server, replica string) *instance {
	t.Helper()
	w := workertest.StartUnready(t, nil, settings(t, e, replica, 0)...)
	return &instance{name: w.Worker.Instance(), url: w.URL, stop: w.Stop}
}

// startCluster starts instances by start, and waits until they are ready. The first is ready before
// the others start: it begins the log.
func startCluster(t *testing.T, start func(*testing.T, *emulatortest.Server, string) *instance,
	names ...string) *cluster {
	t.Helper()
	c := &cluster{emulator: emulatortest.Start(t), lost: make(map[string]bool)}
	for _, name := range names {
		c.instances = append(c.instances, start(t, c.emulator, name))
		c.instances[0].waitReady(t)
	}
	for _, i := range c.instances {
		i.waitReady(t)
	}
	return c
}

// waitReady waits until an instance is in sync with the cluster.
func (i *instance) waitReady(t *testing.T) {
	t.Helper()
	workertest.WaitReady(t, i.url)
}
