package servicebus

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// These flags choose what TestCost measures:
//
//	go test ./internal/backplane/servicebus -run TestCost -v -cost.instances 10 -cost.rate 100 -cost.for 30s
var (
	costInstances = flag.Int("cost.instances", 8, "instances in TestCost")
	costRate      = flag.Int("cost.rate", 40, "entries a second in TestCost, of all instances")
	costFor       = flag.Duration("cost.for", 2*time.Second, "how long TestCost appends entries")
	costSlow      = flag.Duration("cost.slow", 0, "delay of everything that the emulator sends in TestCost")
	costCredits   = flag.Float64("cost.credits", 830, "credits a second that the instances in TestCost may use")
	costSize      = flag.Int("cost.size", 200, "bytes of an entry in TestCost")
)

// costMachine measures how long entries take from Append at one instance to Apply at this one.
type costMachine struct {
	mu        sync.Mutex
	latencies []time.Duration
}

func (m *costMachine) Apply(e backplane.Entry) error {
	took := time.Since(time.UnixMicro(int64(binary.BigEndian.Uint64(e.Body))))
	m.mu.Lock()
	m.latencies = append(m.latencies, took)
	m.mu.Unlock()
	return nil
}

func (m *costMachine) applied() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.latencies)
}

func (m *costMachine) Gone(backplane.Entry, string)  {}
func (m *costMachine) Snapshot() []byte              { return []byte{0} }
func (m *costMachine) Restore([]byte) error          { return nil }
func (m *costMachine) Begin(backplane.Entry)         {}
func (m *costMachine) Raise(backplane.Entry, uint64) {}

// costCluster has instances on one emulator that throttles as the Standard tier does.
type costCluster struct {
	emulator *emulatortest.Server
	machines []*costMachine
	nodes    []*backplane.Node
	buses    []*Bus
}

func newCostCluster(t *testing.T, instances int, connected bool) *costCluster {
	c := &costCluster{emulator: emulatortest.Start(t)}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i := range instances {
		o := options(t, c.emulator, fmt.Sprint(i))
		o.Logger = nil
		bus, machine := open(t, o), new(costMachine)
		node := backplane.New(bus, machine, backplane.Options{
			Limits:    backplane.Limits{Credits: *costCredits},
			Logger:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
			Connected: func() bool { return connected },
		})
		running.Go(func() { _ = node.Run(ctx) })
		c.machines, c.nodes, c.buses = append(c.machines, machine), append(c.nodes, node), append(c.buses, bus)
	}
	t.Cleanup(func() { // before the buses are closed
		stop()
		running.Wait()
	})
	waittest.Until(t, "all instances are ready", func() bool {
		return !slices.ContainsFunc(c.nodes, func(n *backplane.Node) bool {
			s := n.Status()
			return !s.Ready || len(s.Members) != instances
		})
	})
	c.emulator.Broker().Throttle(1000)
	return c
}

// load appends entries at random instances.
func (c *costCluster) load(t *testing.T, rate, size int, lasts time.Duration) (appended int) {
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < lasts; appended++ {
		<-ticker.C
		body := make([]byte, size)
		binary.BigEndian.PutUint64(body, uint64(time.Now().UnixMicro()))
		if err := c.nodes[rand.IntN(len(c.nodes))].Append(body); err != nil {
			t.Fatal(err)
		}
	}
	return appended
}

// watchCredits samples the credits spent each second until stop is called, which returns the samples.
func (c *costCluster) watchCredits() (stop func() []int64) {
	done, result := make(chan struct{}), make(chan []int64)
	go func() {
		var seconds []int64
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		last := c.emulator.Broker().Usage().Credits
		for {
			select {
			case <-ticker.C:
				now := c.emulator.Broker().Usage().Credits
				seconds = append(seconds, now-last)
				last = now
			case <-done:
				result <- seconds
				return
			}
		}
	}()
	return func() []int64 {
		close(done)
		return <-result
	}
}

// TestCost measures what entries cost in credits, and how long they take to be applied everywhere.
func TestCost(t *testing.T) {
	c := newCostCluster(t, *costInstances, true)
	c.emulator.Delay(emulator.Latency{Min: *costSlow, Max: *costSlow})
	before := make([]int, len(c.machines))
	c.load(t, *costRate, *costSize, time.Second) // a combiner is elected
	waittest.Until(t, "the first entries are applied everywhere", func() bool { return c.settled() })
	for i, m := range c.machines {
		before[i] = m.applied()
	}
	sent := c.emulator.Broker().Usage()
	stop := c.watchCredits()
	appended := c.load(t, *costRate, *costSize, *costFor)
	waittest.Until(t, "all entries are applied everywhere", func() bool { return c.settled() })
	seconds := stop()
	used := c.emulator.Broker().Usage()
	var latencies []time.Duration
	for i, m := range c.machines {
		m.mu.Lock()
		latencies = append(latencies, m.latencies[before[i]:]...)
		if got := len(m.latencies) - before[i]; got != appended {
			t.Errorf("%d entries were applied at %d, want the %d that were appended", got, i, appended)
		}
		m.mu.Unlock()
	}
	var busy uint64
	for _, n := range c.nodes {
		busy += n.Counters().Busy
	}
	slices.Sort(latencies)
	at := func(p float64) time.Duration {
		return latencies[int(p*float64(len(latencies)-1))].Round(100 * time.Microsecond)
	}
	t.Logf("%d instances, %d entries a second: p50 %v, p99 %v, max %v; credits a second: most %d, mean %d; "+
		"%.2f operations an entry; %d sends refused",
		len(c.nodes), *costRate, at(0.5), at(0.99), at(1), slices.Max(seconds), sum(seconds)/int64(len(seconds)),
		float64(used.Sent+used.Received+used.Completed-sent.Sent-sent.Received-sent.Completed)/float64(appended), busy)
	if most := slices.Max(seconds); most > 1000 {
		t.Errorf("a second cost %d credits, want less than the Standard tier has", most)
	}
}

func (c *costCluster) settled() bool {
	for i, n := range c.nodes {
		if n.Status().Waiting > 0 || c.machines[i].applied() != c.machines[0].applied() {
			return false
		}
	}
	return true
}

func sum(all []int64) (total int64) {
	for _, n := range all {
		total += n
	}
	return total
}
