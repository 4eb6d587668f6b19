package backplane_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

// unicastBus is the bus of an instance of a build that knows no messages to several instances.
type unicastBus struct{ *backplanetest.Bus }

func (unicastBus) Multicasts() bool { return false }

// snapshots is how many all live instances have made together.
func (c *cluster) snapshots() (sum uint64) {
	for _, i := range c.live() {
		sum += i.node.Counters().Snapshots
	}
	return sum
}

// sayLarge has an instance append so many bytes that don't compress that a snapshot takes many messages.
func (c *cluster) sayLarge(i *instance, size int) {
	c.t.Helper()
	random := rand.NewChaCha8([32]byte{})
	for sent := 0; sent < size; sent += 3000 {
		body := make([]byte, 1500)
		random.Read(body)
		if err := i.node.Append(fmt.Appendf(nil, "%x", body)); err != nil {
			c.t.Fatal(err)
		}
	}
	sleep(time.Second)
}

// Newcomers that ask while a snapshot is under way share the next one, and the log goes on.
func TestNewcomersShareASnapshot(t *testing.T) {
	for _, test := range []struct {
		name string
		old  int    // of the five newcomers
		most uint64 // snapshots
	}{
		{"all of this build", 0, 3}, // two, or one more for a request behind the entry at which the second is taken
		{"two of an older build", 2, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 1, "a", "b")
				a := c.instances[0]
				c.wantReady(30 * time.Second)
				c.sayLarge(a, 1<<19)
				c.topic.SetFaults(backplanetest.Faults{
					PublishTime: 100 * time.Millisecond, DeliverTime: 50 * time.Millisecond, Redeliver: 0.1,
				})
				made := c.snapshots()
				for n := range 5 {
					if c.wrap = nil; n >= 1 && n <= test.old {
						c.wrap = func(b *backplanetest.Bus) backplane.Bus { return unicastBus{b} }
					}
					c.start(fmt.Sprintf("new%d", n))
				}
				var said []string
				for range 50 {
					said = append(said, a.mustSay(t), c.instances[1].mustSay(t))
					sleep(20 * time.Millisecond)
				}
				c.wantReady(8 * time.Second)
				for _, i := range c.live() {
					said = append(said, i.mustSay(t))
				}
				sleep(time.Second)
				c.wantEachOnce(c.wantAlike(), said)
				if got := c.snapshots() - made; got > test.most {
					t.Errorf("%d snapshots were made, want %d at most", got, test.most)
				}
				for _, i := range c.live() {
					if joins := i.node.Counters().Joins; joins != 1 {
						t.Errorf("%s has joined %d times, want once", i.name, joins)
					}
				}
			})
		})
	}
}

// Newcomers that wait for a donor which dies ask another one.
func TestNewcomersThatWaitAskTheNextDonor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, "a", "b")
		a := c.instances[0]
		c.wantReady(30 * time.Second)
		c.sayLarge(a, 1<<19)
		c.topic.SetFaults(backplanetest.Faults{PublishTime: 200 * time.Millisecond})
		for n := range 4 {
			c.start(fmt.Sprintf("new%d", n))
		}
		sleep(time.Second)
		c.kill(a)
		c.wantReady(15 * time.Second)
		sleep(20 * time.Second)
		c.wantAlike()
	})
}
