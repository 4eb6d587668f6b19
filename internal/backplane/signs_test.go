package backplane_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane/backplanetest"
)

func yes() bool { return true }

// startMany starts instances to one of which a client is connected, if connected is set.
func startMany(t *testing.T, n int, connected bool) *cluster {
	c := newCluster(t, 1)
	for i := range n {
		c.options.Connected = nil
		if i == n/2 && connected {
			c.options.Connected = yes
		}
		c.start(fmt.Sprintf("%02d", i))
		sleep(10 * time.Millisecond)
	}
	c.wantReady(30 * time.Second)
	sleep(15 * time.Second)
	return c
}

// byAge returns the i-th oldest instance.
func (c *cluster) byAge(i int) *instance {
	name := c.live()[0].node.Status().Members[i].Instance
	for _, member := range c.live() {
		if member.name == name {
			return member
		}
	}
	c.t.Fatalf("%q is not alive", name)
	return nil
}

// wantGone waits until all live instances have evicted the dead ones.
func (c *cluster) wantGone(within time.Duration) {
	c.t.Helper()
	sleep(within)
	for _, i := range c.live() {
		if got := len(i.node.Status().Members); got != len(c.live()) {
			c.t.Errorf("%s has %d members after %v, want %d", i.name, got, within, len(c.live()))
		}
	}
}

func TestDeadInstanceIsFound(t *testing.T) {
	for _, test := range []struct {
		name      string
		n         int
		connected bool
		kill      []int
		within    time.Duration
	}{
		{"of two", 2, true, []int{0}, 10 * time.Second},
		{"the oldest", 5, true, []int{0}, 10 * time.Second},
		{"the youngest", 5, true, []int{4}, 10 * time.Second},
		{"two that are neighbours", 5, true, []int{0, 1}, 10 * time.Second},
		{"two apart", 6, true, []int{1, 4}, 10 * time.Second},
		{"all but one, each in its turn", 4, true, []int{0, 1, 3}, 20 * time.Second},
		{"six neighbours while nobody is connected", 8, false, []int{1, 2, 3, 4, 5, 6}, 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startMany(t, test.n, test.connected)
				var killed []*instance
				for _, i := range test.kill {
					killed = append(killed, c.byAge(i))
				}
				for _, i := range killed {
					i.dead = true
					i.bus.Cut(true) // a dead one publishes nothing more; kill takes its time
					c.topic.Leave(i.name)
				}
				c.wantGone(test.within)
				for _, i := range killed {
					c.kill(i)
				}
			})
		})
	}
}

// A reader on an instance that is cut off learns it, although nobody there sends anything.
func TestSilentInstanceFindsThatItIsCutOff(t *testing.T) {
	for _, test := range []struct {
		name string
		n    int
		cut  func(*backplanetest.Bus)
	}{
		{"by errors", 3, func(b *backplanetest.Bus) { b.Cut(true) }},
		{"by silence", 3, func(b *backplanetest.Bus) { b.Stall(true) }},
		{"by silence, alone", 1, func(b *backplanetest.Bus) { b.Stall(true) }},
		{"by silence of what it receives", 3, func(b *backplanetest.Bus) { b.Deafen(true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startMany(t, test.n, true)
				for phase := range 5 {
					i := c.instances[test.n/2]
					sleep(time.Duration(phase) * 937 * time.Millisecond)
					test.cut(i.bus)
					sleep(6 * time.Second)
					i.machine.look(func(s *fakeMachine) {
						if !s.cut {
							t.Error("not told as cut off after 6s")
						}
					})
					sleep(9 * time.Second)
					if i.node.Status().Ready {
						t.Error("still ready after 15s")
					}
					i.bus.Cut(false)
					i.bus.Stall(false)
					i.bus.Deafen(false)
					sleep(5 * time.Second)
					if s := i.node.Status(); !s.Ready {
						t.Errorf("not ready 5s after the bus works: %s", s.Why)
					}
					sleep(time.Minute)
				}
			})
		})
	}
}

// A call of Receive that has gone silent is made again, although nobody sends anything.
func TestSilentReceiveOfSilentInstanceIsCalledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startMany(t, 3, true)
		c.instances[0].bus.Silence()
		sleep(10 * time.Second)
		c.wantReady(0)
		if got := c.instances[0].node.Counters().Restarts; got == 0 {
			t.Error("Receive was not called again")
		}
		c.wantGone(time.Minute)
	})
}

func TestSlowBusEvictsNobodyWhileClientsAreConnected(t *testing.T) {
	for i, delay := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 4 * time.Second, 5 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startMany(t, 3+i, true)
				c.topic.SetFaults(backplanetest.Faults{PublishTime: delay, DeliverTime: delay})
				for range 60 {
					c.instances[2].mustSay(t)
					sleep(3 * time.Second)
				}
				c.topic.SetFaults(backplanetest.Faults{})
				c.wantGone(30 * time.Second)
				for _, i := range c.live() {
					if got := i.node.Counters(); got.Evictions > 0 || got.Joins > 1 {
						t.Errorf("%s saw %d evictions and joined %d times, want none and once",
							i.name, got.Evictions, got.Joins)
					}
				}
			})
		})
	}
}

// Everybody is silent, while everybody's bus is: nobody is dead.
func TestSilentBusEvictsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startMany(t, 5, true)
		for _, silence := range []time.Duration{3 * time.Second, 10 * time.Second, time.Minute} {
			for _, i := range c.live() {
				i.bus.Stall(true)
			}
			sleep(silence)
			for _, i := range c.live() {
				i.bus.Stall(false)
			}
			sleep(5 * time.Second)
			c.wantReady(0)
			sleep(time.Minute)
		}
		for _, i := range c.live() {
			if got := i.node.Counters(); got.Evictions > 0 || got.Joins > 1 {
				t.Errorf("%s saw %d evictions and joined %d times, want none and once",
					i.name, got.Evictions, got.Joins)
			}
		}
	})
}

// Idle operations grow in proportion to the number of instances.
func TestIdleInstancesPublishLittle(t *testing.T) {
	for _, test := range []struct {
		instances int
		connected bool
		most      int // operations an hour
		minutes   int // for which they are counted: many instances are costly, and have many in a short time
	}{
		{1, false, 60, 12},
		{3, false, 720, 6},
		{10, false, 2_400, 3},
		{30, false, 7_200, 2},
		{1, true, 2_500, 6},
		{3, true, 7_500, 3},
		{10, true, 25_000, 1},
	} {
		t.Run(fmt.Sprintf("%d, connected %t", test.instances, test.connected), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := startMany(t, test.instances, test.connected)
				before := c.topic.Usage()
				sleep(time.Duration(test.minutes) * time.Minute)
				after := c.topic.Usage()
				got := (after.Operations() - before.Operations()) * 60 / test.minutes
				if got > test.most || got < test.most/3 {
					t.Errorf("%d operations an hour, want %d at most", got, test.most)
				}
			})
		})
	}
}

// Signs of life become rare again when the last client has gone.
func TestSignsFollowTheClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		var connected atomic.Bool
		connected.Store(true)
		c.start("a")
		c.start("b")
		c.options.Connected = connected.Load
		c.start("c")
		c.wantReady(30 * time.Second)
		operations := func() int {
			before := c.topic.Usage().Operations()
			sleep(10 * time.Minute)
			return c.topic.Usage().Operations() - before
		}
		if got := operations(); got < 1000 {
			t.Errorf("%d operations while a client is connected, want more than 1000", got)
		}
		connected.Store(false)
		sleep(2 * time.Minute)
		if got := operations(); got > 120 {
			t.Errorf("%d operations while no client is connected, want 120 at most", got)
		}
		connected.Store(true)
		sleep(time.Second)
		c.kill(c.instances[0])
		c.wantGone(15 * time.Second)
	})
}
