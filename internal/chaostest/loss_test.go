//go:build unix

package chaostest

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/waittest"
)

// A worker is killed at random moments under load, again and again, and starts again with what is stored. No
// acknowledged message is lost or comes twice, and all users receive one order and keep their names.
func TestChatOutlivesAllInstances(t *testing.T) {
	t.Parallel()
	c := &cluster{nameHold: longHold, store: t.TempDir(), lost: make(map[string]bool)}
	c.outlive(t, scaled(200, 10), "a")
}

// The same for three instances on a bus, which keeps what is published until it is stored.
func TestChatOutlivesAllInstancesOfACluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, longHold)
	c.store = t.TempDir()
	c.outlive(t, scaled(50, 2), "a", "b", "c")
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
		var before [senders]int64
		for n := range c.acks {
			before[n] = c.acks[n].Load()
		}
		for n := range c.acks { // each has come back, so that nobody waits for ever
			waittest.Until(t, fmt.Sprintf("a message of sender %d is acknowledged in round %d", n, round), func() bool {
				return c.acks[n].Load() > before[n]
			})
		}
		pause(t, time.Duration(random.Int64N(int64(300*time.Millisecond))))
		for _, i := range c.instances {
			i.signal(t, syscall.SIGKILL)
		}
		for n, i := range c.instances {
			i.stop()
			c.instances[n] = startProcessAt(t, c, names[n], i.port)
		}
	}
	for _, i := range c.instances {
		i.waitReady(t)
	}
	stop()
	c.awaitDeliveries(t)
	c.compare(t)
}
