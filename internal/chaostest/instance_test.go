package chaostest

import (
	"cmp"
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

// The settings of all workers. Heartbeats are short, so that clients notice soon that an instance has
// died.
const (
	heartbeat = 3 * time.Second
	drain     = 4 * time.Second
)

// How long the workers of a cluster hold the names of disconnected users.
const (
	// shortHold is for clusters that lose users, who must leave before the test goes on.
	shortHold = 30 * time.Second
	// longHold is longer than a busy machine may take to reconnect a user.
	longHold = 10 * time.Minute
)

// settings returns a worker's environment, as NAME=value.
func (c *cluster) settings(t *testing.T, replica string, port int) []string {
	var own []string // without a bus the worker is alone
	switch {
	case c.emulator != nil:
		_, httpPort, err := net.SplitHostPort(c.emulator.HTTPAddress())
		if err != nil {
			t.Fatal(err)
		}
		own = []string{"AZURE_SERVICEBUS_CONNECTIONSTRING=" + c.emulator.ConnectionString(),
			"EMULATOR_HTTP_PORT=" + httpPort}
	case c.bus != nil:
		own = c.bus.settings()
	}
	if c.table != "" {
		own = append(own, "AZURE_STORAGETABLE_CONNECTIONSTRING="+c.table)
	} else {
		own = append(own, "STORE="+cmp.Or(c.store, "none"))
	}
	return append(own,
		"PORT="+strconv.Itoa(port),
		"CONTAINER_APP_REPLICA_NAME="+replica,
		"PING_INTERVAL="+heartbeat.String(),
		"PING_TIMEOUT="+heartbeat.String(),
		"NAME_HOLD="+c.nameHold.String(),
		"MESSAGE_RATE=0",
		"HISTORY_LINES=20000", // a user may be away for minutes where the machine is busy
		"DRAIN_TIMEOUT="+drain.String(),
		"LOG_FORMAT=json",
	)
}

// startWorker starts a worker in this process. It does not wait until the worker is ready.
func startWorker(t *testing.T, c *cluster, replica string) *instance {
	t.Helper()
	w := workertest.StartUnready(t, nil, c.settings(t, replica, 0)...)
	return &instance{name: w.Worker.Instance(), url: w.URL, stop: w.Stop}
}

// newCluster returns a cluster without instances.
func newCluster(t *testing.T, nameHold time.Duration) *cluster {
	t.Helper()
	return &cluster{emulator: emulatortest.Start(t), nameHold: nameHold, lost: make(map[string]bool)}
}

// start starts instances by startOne, and waits until they are ready. The first is ready before the
// others start: it begins the log.
func (c *cluster) start(t *testing.T, startOne func(*testing.T, *cluster, string) *instance, names ...string) {
	t.Helper()
	for _, name := range names {
		c.instances = append(c.instances, startOne(t, c, name))
		c.instances[0].waitReady(t)
	}
	for _, i := range c.instances {
		i.waitReady(t)
	}
}

// waitReady waits until an instance is in sync with the cluster.
func (i *instance) waitReady(t *testing.T) {
	t.Helper()
	workertest.WaitReady(t, i.url)
}
