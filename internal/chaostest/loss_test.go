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
func (c *cluster) outlive(t *testing.T, rounds int, names ...string) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	c.start(t, startProcess, names...)
	c.populate(t, c.urls())
	acknowledged, stop := c.send(t)
	defer stop()
	for round := range rounds {
		want := acknowledged.Load() + senders
		waittest.Until(t, fmt.Sprintf("messages are acknowledged in round %d", round), func() bool {
			return acknowledged.Load() >= want
		})
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
