//go:build unix

package chaostest

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/store/azuretable/azuritetest"
	"chatapp/internal/waittest"
)

// A worker is killed at random moments under load, again and again, and starts again with what is stored. No
// acknowledged message is lost or comes twice, and all users receive one order and keep their names.
func TestChatOutlivesAllInstances(t *testing.T) {
	t.Parallel()
	c := &cluster{nameHold: longHold, store: t.TempDir(), lost: make(map[string]bool)}
	c.outlive(t, scaled(200, 6), "a")
}

// The same for three instances on a bus, which keeps what is published until it is stored.
func TestChatOutlivesAllInstancesOfACluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, longHold)
	c.store = t.TempDir()
	c.outlive(t, scaled(50, 2), "a", "b", "c")
}

// The same for three instances with a table of Azure, while the bus is killed as well.
func TestChatOutlivesAllInstancesAndTheBus(t *testing.T) {
	t.Parallel()
	c := &cluster{nameHold: longHold, table: azuritetest.Start(t), bus: startBus(t), lost: make(map[string]bool)}
	c.bus.start(t)
	t.Cleanup(func() { c.bus.kill() }) // once the instances have ended
	c.outlive(t, scaled(200, 2), "a", "b", "c")
}

// outlive kills all instances and starts them again, round after round, and then compares what users have received.
func (c *cluster) outlive(t *testing.T, times int, names ...string) {
	t.Helper()
	if *rounds > 0 {
		times = *rounds
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	c.start(t, startProcess, names...)
	c.populate(t, c.urls())
	_, stop := c.send(t)
	defer stop()
	for round := range times {
		c.awaitAcknowledgements(t, round)
		c.killAll(t, random)
		if c.bus != nil {
			c.bus.start(t)
		}
		for n, i := range c.instances {
			i.stop()
			c.instances[n] = startProcessAt(t, c, names[n], i.port)
		}
		if (round+1)%10 == 0 {
			t.Logf("round %d of %d", round+1, times)
		}
	}
	for _, i := range c.instances {
		i.waitReady(t)
	}
	stop()
	c.awaitDeliveries(t)
	c.compare(t)
}

// awaitAcknowledgements waits until each sender has come back, so that none waits for ever.
func (c *cluster) awaitAcknowledgements(t *testing.T, round int) {
	t.Helper()
	var before [senders]int64
	for n := range c.acks {
		before[n] = c.acks[n].Load()
	}
	for n := range c.acks {
		waittest.Until(t, fmt.Sprintf("a message of sender %d is acknowledged in round %d", n, round), func() bool {
			return c.acks[n].Load() > before[n]
		})
	}
}

// killAll kills all instances, and the bus if it has a process: some time before them or after them.
func (c *cluster) killAll(t *testing.T, random *rand.Rand) {
	t.Helper()
	const most = int64(300 * time.Millisecond)
	instances, bus := time.Duration(random.Int64N(most)), time.Duration(random.Int64N(most))
	if c.bus != nil && bus <= instances {
		pause(t, bus)
		c.bus.kill()
		instances -= bus
	}
	pause(t, instances)
	for _, i := range c.instances {
		i.signal(t, syscall.SIGKILL)
	}
	if c.bus != nil && bus > instances {
		pause(t, bus-instances)
		c.bus.kill()
	}
}
