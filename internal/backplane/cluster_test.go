package backplane_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/backplanetest"
)

// cluster has instances on one topic, in a synctest bubble.
type cluster struct {
	t         *testing.T
	topic     *backplanetest.Topic
	options   backplane.Options
	wrap      func(*backplanetest.Bus) backplane.Bus // makes the bus of the next instances; nil: leaves it as it is
	instances []*instance                            // dead ones included
}

type instance struct {
	name      string
	node      *backplane.Node
	machine   *fakeMachine
	bus       *backplanetest.Bus
	stop      context.CancelFunc
	done      chan error // gets Run's error
	dead      bool
	impaired  bool      // the test has stalled or cut it
	healed    time.Time // when impaired last ended
	lossAfter uint64    // Counters.Joins when the test deleted its subscription
	said      int       // texts appended by say
}

func newCluster(t *testing.T, seed uint64, names ...string) *cluster {
	c := &cluster{t: t, topic: backplanetest.NewTopic(seed, backplane.MinBody)}
	if os.Getenv("BACKPLANE_TEST_LOG") != "" {
		c.options.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	t.Cleanup(c.stop)
	for _, name := range names {
		c.start(name)
	}
	return c
}

// start runs another instance.
func (c *cluster) start(name string) *instance {
	return c.startWith(name, func(m *fakeMachine) backplane.StateMachine { return m })
}

// startWith runs another instance with a state machine that is made of its fakeMachine.
func (c *cluster) startWith(name string, machine func(*fakeMachine) backplane.StateMachine) *instance {
	i := &instance{name: name, machine: newFakeMachine(name), bus: c.topic.Join(name), done: make(chan error, 1)}
	options := c.options
	options.Local = i.machine
	if options.Logger != nil {
		options.Logger = options.Logger.With("at", name)
	}
	var bus backplane.Bus = i.bus
	if c.wrap != nil {
		bus = c.wrap(i.bus)
	}
	i.node = backplane.New(bus, machine(i.machine), options)
	ctx, stop := context.WithCancel(context.Background())
	i.stop = stop
	go func() { i.done <- i.node.Run(ctx) }()
	c.instances = append(c.instances, i)
	return i
}

// kill ends an instance without a leave entry, as kill -9 does.
func (c *cluster) kill(i *instance) {
	i.dead = true
	i.bus.Stall(false)
	i.bus.Cut(true)
	i.stop()
	<-i.done
	c.topic.Leave(i.name)
}

// leave ends an instance as SIGTERM does.
func (c *cluster) leave(i *instance) error {
	i.dead = true
	i.stop()
	err := <-i.done
	c.topic.Leave(i.name)
	return err
}

func (c *cluster) stop() {
	for _, i := range c.instances {
		if !i.dead {
			c.kill(i)
		}
	}
}

func (c *cluster) live() []*instance {
	var live []*instance
	for _, i := range c.instances {
		if !i.dead {
			live = append(live, i)
		}
	}
	return live
}

// say appends a text that is different from all others.
func (i *instance) say() (string, error) {
	i.said++
	text := fmt.Sprintf("%s says %d", i.name, i.said)
	return text, i.node.Append([]byte(text))
}

// loseAllSubscriptions has each instance say something, which it returns, and then lose its subscription.
func (c *cluster) loseAllSubscriptions() (said []string) {
	c.t.Helper()
	for _, i := range c.live() {
		said = append(said, i.mustSay(c.t))
	}
	sleep(time.Second)
	for _, i := range c.live() {
		i.bus.LoseSubscription()
	}
	return said
}

// sleep lets virtual time pass, and waits for what is due then.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantReady waits until every live instance is ready.
func (c *cluster) wantReady(within time.Duration) {
	c.t.Helper()
	deadline := time.Now().Add(within)
	for {
		why := ""
		for _, i := range c.live() {
			if status := i.node.Status(); !status.Ready {
				why += fmt.Sprintf("\n%s: %s", i.name, status.Why)
			}
		}
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not all are ready after %v:%s", within, why)
		}
		sleep(100 * time.Millisecond)
	}
}

// wantAlike checks that all live instances have the same state, and returns its history.
func (c *cluster) wantAlike() []string {
	c.t.Helper()
	live := c.live()
	for _, i := range live[1:] {
		if got, want := i.machine.encoded(), live[0].machine.encoded(); got != want {
			c.t.Errorf("%s and %s have different states:\n%s\n%s", i.name, live[0].name, got, want)
		}
	}
	return live[0].machine.texts()
}

// wantEachOnce checks that each text is in the history once.
func (c *cluster) wantEachOnce(history, texts []string) {
	c.t.Helper()
	count := make(map[string]int)
	for _, text := range history {
		count[text]++
	}
	for _, text := range texts {
		if count[text] != 1 {
			c.t.Errorf("%q is in the history %d times, want once", text, count[text])
		}
	}
}

func (i *instance) mustSay(t *testing.T) string {
	t.Helper()
	text, err := i.say()
	if err != nil {
		t.Fatalf("Append at %s: %v", i.name, err)
	}
	return text
}
