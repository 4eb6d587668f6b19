package chaostest

import (
	"testing"
	"time"

	"chatapp/internal/emulator/broker"
)

// Under every fault of Service Bus and the way to it, the chat loses nothing, duplicates nothing,
// and has one order.
func TestServiceBusFaultsLoseNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, longHold)
	c.start(t, startWorker, "a", "b", "c")
	c.populate(t, c.urls())
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			c.round(t, func() { fault.cause(t, c) })
		})
	}
}

// subscription returns the path of an instance's subscription.
func (c *cluster) subscription(i int) string { return "chat/Subscriptions/" + c.instances[i].name }

// repeat does something several times, at even intervals.
func repeat(t *testing.T, do func()) {
	for range scaled(10, 3) {
		do()
		pause(t, scaled(time.Second, 600*time.Millisecond))
	}
}

func (c *cluster) setStatus(t *testing.T, status broker.Status) {
	if err := c.emulator.SetStatus("chat", status); err != nil {
		t.Fatal(err)
	}
}

var faults = []struct {
	name  string
	cause func(t *testing.T, c *cluster)
}{
	{"nothing", func(*testing.T, *cluster) {}},
	{"connections dropped again and again", func(t *testing.T, c *cluster) {
		repeat(t, func() { c.emulator.DropConnections() })
	}},
	{"connections dropped in mid-transfer", func(t *testing.T, c *cluster) {
		repeat(t, func() { c.emulator.DropMidTransfer(3) })
	}},
	{"links detached", func(t *testing.T, c *cluster) {
		repeat(t, func() { c.emulator.DetachLinks("", "amqp:link:detach-forced", "chaos") })
	}},
	{"delivered twice", func(t *testing.T, c *cluster) {
		repeat(t, func() {
			for i := range c.instances {
				if err := c.emulator.DeliverTwice(c.subscription(i), 20); err != nil {
					t.Error(err)
				}
			}
		})
	}},
	{"locks lost", func(t *testing.T, c *cluster) {
		repeat(t, func() {
			for i := range c.instances {
				if _, err := c.emulator.LoseLocks(c.subscription(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}},
	{"server busy", func(t *testing.T, c *cluster) {
		c.emulator.ServerBusy(scaled(10*time.Second, 2*time.Second))
		pause(t, scaled(10*time.Second, 2*time.Second))
	}},
	{"silence", func(t *testing.T, c *cluster) {
		c.emulator.GoSilent(scaled(5*time.Second, 2*time.Second))
		pause(t, scaled(5*time.Second, 2*time.Second))
	}},
	{"tokens refused", func(t *testing.T, c *cluster) {
		c.emulator.RefuseTokens(scaled(10*time.Second, 2*time.Second))
		c.emulator.DropConnections()
		pause(t, scaled(10*time.Second, 2*time.Second))
	}},
	{"subscription deleted", func(t *testing.T, c *cluster) {
		if err := c.emulator.Delete(c.subscription(1)); err != nil {
			t.Error(err)
		}
	}},
	{"topic disabled and enabled", func(t *testing.T, c *cluster) {
		c.setStatus(t, broker.StatusDisabled)
		pause(t, scaled(10*time.Second, 2*time.Second))
		c.setStatus(t, broker.StatusActive)
	}},
	{"emulator restarted", func(t *testing.T, c *cluster) {
		if err := c.emulator.Restart(); err != nil {
			t.Fatal(err)
		}
	}},
}
