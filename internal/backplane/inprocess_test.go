package backplane_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/backplane/inprocess"
	"chatapp/internal/waittest"
)

// blocking is a state machine whose Apply blocks until gate is closed, as in a paused process.
type blocking struct {
	*fakeMachine
	gate chan struct{}
}

func (s blocking) Apply(e backplane.Entry) error {
	<-s.gate
	return s.fakeMachine.Apply(e)
}

// An instance that falls further behind than the hub's backlog joins again by snapshot.
func TestInstanceFarBehindJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := inprocess.NewHub(inprocess.Options{MaxBody: backplane.MinBody, MaxBacklog: 400_000})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		run := func(name string, state blocking) *backplane.Node {
			bus := hub.Join(name)
			t.Cleanup(bus.Close)
			node := backplane.New(bus, state, backplane.Options{Local: state})
			go func() { done <- node.Run(ctx) }()
			return node
		}
		open := make(chan struct{})
		close(open)
		fast, slow := blocking{newFakeMachine("fast"), open}, blocking{newFakeMachine("slow"), make(chan struct{})}
		first := run("fast", fast)
		synctest.Wait()
		if joins := first.Counters().Joins; joins != 1 {
			t.Errorf("the only instance has joined %d times, want once, without waiting", joins)
		}
		second := run("slow", slow)
		sleep(time.Second)
		noise := hub.Join("noise")
		t.Cleanup(noise.Close)
		for n := range 100 {
			if err := first.Append(fmt.Append(nil, n)); err != nil {
				t.Fatal(err)
			}
			if err := noise.Publish(ctx, backplane.Message{Body: make([]byte, 10_000)}); err != nil {
				t.Fatal(err)
			}
			sleep(time.Millisecond)
		}
		close(slow.gate)
		sleep(10 * time.Second)
		if got, want := slow.encoded(), fast.encoded(); got != want {
			t.Errorf("the slow instance has %d bytes of state, the fast one %d; want equal states", len(got), len(want))
		}
		if got := second.Counters(); got.Joins != 2 || got.Gaps == 0 {
			t.Errorf("Counters() of the slow instance = %+v, want a gap and a second join", got)
		}
		if got := len(slow.texts()); got != 100 {
			t.Errorf("history has %d entries, want 100", got)
		}
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	hub := inprocess.NewHub(inprocess.Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	var nodes []*backplane.Node
	var machines []*fakeMachine
	for n := range 3 {
		bus := hub.Join(fmt.Sprintf("i%d", n))
		t.Cleanup(bus.Close)
		state := newFakeMachine(bus.Instance())
		node := backplane.New(bus, state, backplane.Options{Local: state})
		go func() { done <- node.Run(ctx) }()
		waittest.Until(t, "it is ready", func() bool { return node.Status().Ready })
		nodes, machines = append(nodes, node), append(machines, state)
	}
	const appenders, each = 8, 200
	var group sync.WaitGroup
	for n := range appenders {
		group.Go(func() {
			node := nodes[n%len(nodes)]
			for i := range each {
				if err := node.Append(fmt.Appendf(nil, "%d says %d", n, i)); err != nil {
					t.Errorf("Append = %v", err)
				}
				node.Suspect("i0")
				node.Status()
				node.Counters()
			}
		})
	}
	group.Wait()
	for _, s := range machines {
		waittest.Until(t, "all entries are applied", func() bool { return len(s.texts()) == appenders*each })
		if s.encoded() != machines[0].encoded() {
			t.Errorf("%s and %s have different states", s.instance, machines[0].instance)
		}
	}
	stop()
	for range nodes {
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
}
