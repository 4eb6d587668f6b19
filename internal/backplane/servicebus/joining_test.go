package servicebus

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// These flags choose what TestNewcomersShareASnapshot measures:
//
//	go test ./internal/backplane/servicebus -run Newcomers -v \
//		-join.instances 10 -join.bytes 16777216 -join.credits 800
var (
	joinInstances = flag.Int("join.instances", 2, "instances that are there before")
	joinBytes     = flag.Int("join.bytes", 1<<20, "bytes of the state, which can't be compressed")
	joinCredits   = flag.Float64("join.credits", 60, "credits a second; few make a snapshot take its time")
)

// joinMachine has a large state, and notes how long entries take from Append to Apply.
type joinMachine struct {
	costMachine
	state []byte
}

func (m *joinMachine) Snapshot() []byte { return m.state }

func (m *joinMachine) Restore(state []byte) error {
	m.state = append([]byte(nil), state...)
	return nil
}

// Five newcomers at once share snapshots: a donor sends fewer than one for each, and so fewer messages.
func TestNewcomersShareASnapshot(t *testing.T) {
	const newcomers = 5
	e := emulatortest.Start(t)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var nodes []*backplane.Node
	start := func(name string, state []byte) {
		o := options(t, e, name)
		o.Logger = nil
		bus, machine := open(t, o), &joinMachine{state: state}
		nodes = append(nodes, backplane.New(bus, machine, backplane.Options{
			Limits: backplane.Limits{Credits: *joinCredits},
		}))
	}
	t.Cleanup(func() { // before the buses are closed
		stop()
		running.Wait()
	})
	run := func(from int) {
		for _, node := range nodes[from:] {
			running.Go(func() { _ = node.Run(ctx) })
		}
		waittest.Until(t, "all instances are ready", func() bool {
			for _, node := range nodes {
				if !node.Status().Ready {
					return false
				}
			}
			return true
		})
	}
	state := make([]byte, *joinBytes)
	rand.NewChaCha8([32]byte{}).Read(state)
	for i := range *joinInstances {
		start(fmt.Sprint("member", i), state)
	}
	run(0)
	before, made := e.Broker().Usage(), snapshots(nodes)
	for i := range newcomers {
		start(fmt.Sprint("newcomer", i), nil)
	}
	entry := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))
	if err := nodes[0].Append(entry); err != nil { // the log goes on
		t.Fatal(err)
	}
	began := time.Now()
	run(*joinInstances)
	took, used := time.Since(began), e.Broker().Usage()
	count := snapshots(nodes) - made
	t.Logf("%d newcomers at %d instances with %d bytes: ready after %v by %d snapshots; %d messages sent",
		newcomers, *joinInstances, *joinBytes, took.Round(time.Millisecond), count, used.Sent-before.Sent)
	// On a machine that stands still newcomers ask again, and get more.
	if count >= newcomers && took < 3*time.Second {
		t.Errorf("%d newcomers got %d snapshots, want them to share", newcomers, count)
	}
}

// snapshots is how many all nodes have made together.
func snapshots(nodes []*backplane.Node) (sum uint64) {
	for _, node := range nodes {
		sum += node.Counters().Snapshots
	}
	return sum
}
