//go:build unix

package chaostest

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// lose has some users of an instance vanish for good: users who do not send.
func (c *cluster) lose(at *instance, n int) {
	for _, user := range c.users[senders:] {
		if n > 0 && !c.lost[user.Name()] && user.State().Instance == at.name {
			user.Vanish()
			c.lost[user.Name()] = true
			n--
		}
	}
}

// replace has a new instance take the address of one that has ended, because users know no other.
// It ends with t.
func (c *cluster) replace(t *testing.T, old *instance, name string) {
	t.Helper()
	i := startProcessAt(t, c, name, old.port)
	i.waitReady(t)
	c.instances = append(c.instances, i)
}

func (c *cluster) remove(old *instance) {
	c.instances = slices.DeleteFunc(c.instances, func(i *instance) bool { return i == old })
}

// The users of an instance that does not answer go on at the others. Those who do not come back leave once.
func TestPausedInstanceLosesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, shortHold)
	c.start(t, startProcess, "a", "b", "c")
	c.populate(t, c.urls())
	frozen := c.instances[1]
	c.round(t, func() {
		frozen.signal(t, syscall.SIGSTOP)
		c.lose(frozen, 2)
		pause(t, scaled(20*time.Second, 14*time.Second)) // the others evict it
		frozen.signal(t, syscall.SIGCONT)
		frozen.waitReady(t)
	})
}

// The users of an instance that ends, in order or not, go on at the others. Those who do not come back
// leave once.
func TestEndedInstancesLoseNothing(t *testing.T) {
	t.Parallel()
	whole := t
	c := newCluster(t, shortHold)
	c.start(t, startProcess, "a", "b", "c")
	c.populate(t, c.urls())
	t.Run("killed", func(t *testing.T) {
		dead := c.instances[2]
		c.round(t, func() {
			dead.signal(t, syscall.SIGSTOP) // so that it can't report the users that it loses
			c.lose(dead, 2)
			dead.signal(t, syscall.SIGKILL)
			dead.stop()
			c.remove(dead)
		})
		c.replace(whole, dead, "d")
	})
	t.Run("drained", func(t *testing.T) {
		old := c.instances[0]
		c.round(t, func() {
			old.stop() // by SIGTERM
			c.remove(old)
		})
	})
}
