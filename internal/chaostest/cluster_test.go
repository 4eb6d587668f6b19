package chaostest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
	"chatapp/internal/chatclient"
	"chatapp/internal/emulator/emulatortest"
	"chatapp/internal/waittest"
)

// cluster is a chat: instances, and users at them.
type cluster struct {
	emulator  *emulatortest.Server // the bus, in this process
	bus       *busProcess          // or in one of its own
	nameHold  time.Duration
	store     string      // folder in which the chat is kept; "": none
	table     string      // or the connection string of a storage account
	instances []*instance // that should be alive
	users     []*chatcheck.Client
	lost      map[string]bool // names of users who have vanished for good
	sequence  atomic.Int64    // of messages
	acks      [senders]atomic.Int64
	asked     time.Time // when a user was last asked for presence

	// others return the records of users that are no clients of chatcheck.
	others []func() chatcheck.Record
}

// sendEvery returns the time between two messages of a sender.
func sendEvery() time.Duration { return scaled(150*time.Millisecond, 400*time.Millisecond) }

const (
	// senders is how many users send messages: some at each instance.
	senders = 6
	// maxOutstanding is how many messages of a sender may wait for their acknowledgement. Without a bound
	// a machine that is too slow would be given ever more to do.
	maxOutstanding = 50
)

// urls returns the addresses of the instances.
func (c *cluster) urls() []string {
	var all []string
	for _, i := range c.instances {
		all = append(all, i.url)
	}
	return all
}

// populate has users join by each protocol at each URL.
func (c *cluster) populate(t *testing.T, urls []string) {
	t.Helper()
	c.users = make([]*chatcheck.Client, scaled(300, 18))
	var group sync.WaitGroup
	slots := make(chan struct{}, 20) // users who join at the same time
	for n := range c.users {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			user, err := chatcheck.Join(ctx, chatcheck.Options{
				URLs: urls, First: n, Protocol: chatclient.Protocol(n / len(urls) % 2),
				Name: fmt.Sprintf("user-%d", n), Silence: 2 * heartbeat,
			})
			if err != nil {
				t.Error(err)
				return
			}
			c.users[n] = user
		})
	}
	group.Wait()
	t.Cleanup(func() {
		var group sync.WaitGroup
		for _, user := range c.users {
			if user != nil {
				group.Go(user.Close)
			}
		}
		group.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
}

// send has the senders send until stop is called, which waits until all messages are acknowledged.
func (c *cluster) send(t *testing.T) (acknowledged *atomic.Int64, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	acknowledged = new(atomic.Int64)
	var group sync.WaitGroup
	for n, user := range c.users[:senders] {
		group.Go(func() {
			ticker := time.NewTicker(sendEvery())
			defer ticker.Stop()
			outstanding := make(chan struct{}, maxOutstanding)
			for {
				select {
				case outstanding <- struct{}{}:
				case <-ctx.Done():
					return
				}
				group.Go(func() {
					defer func() { <-outstanding }()
					late, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
					defer cancel()
					if _, err := user.Send(late, fmt.Sprintf("message %d", c.sequence.Add(1))); err != nil {
						t.Errorf("%s: not acknowledged: %v", user.Name(), err)
						return
					}
					acknowledged.Add(1)
					c.acks[n].Add(1)
				})
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	return acknowledged, func() {
		cancel()
		group.Wait()
	}
}

// round breaks something while users send, and then checks what all have received. Some users lose
// their connections as well, and come back at other instances.
func (c *cluster) round(t *testing.T, breakSomething func()) {
	t.Helper()
	acknowledged, stop := c.send(t)
	defer stop()
	proveAlive := func(when string) {
		want := acknowledged.Load() + 2*senders
		start := time.Now()
		waittest.UntilNil(t, "messages are acknowledged "+when, func() error {
			if n := acknowledged.Load(); n < want {
				return fmt.Errorf("%d of %d messages", n, want)
			}
			return nil
		})
		t.Logf("messages are acknowledged %s: after %v", when, time.Since(start).Round(10*time.Millisecond))
	}
	proveAlive("before the fault")
	for n := 7; n < len(c.users); n += 10 {
		c.users[n].Cut(500 * time.Millisecond)
	}
	c.users[0].Cut(0) // a sender, whose client sends again what was not acknowledged
	breakSomething()
	over := time.Now()
	proveAlive("after the fault")
	c.check(t, over)
	stop()
	c.awaitDeliveries(t)
	c.compare(t)
}

// awaitDeliveries waits until every user has received everything: all messages, and that the lost users have left. An
// instance may say that they have before all who are notified have read it.
func (c *cluster) awaitDeliveries(t *testing.T) {
	t.Helper()
	sent := make(map[string]int)
	total := 0
	for _, user := range c.users[:senders] {
		sent[user.Name()] = len(user.Record().Sent)
		total += sent[user.Name()]
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, user := range c.users {
		if c.lost[user.Name()] {
			continue
		}
		want := total - sent[user.Name()]
		if err := user.Await(ctx, func(s chatcheck.State) bool { return s.Received >= want }); err != nil {
			s := user.State()
			t.Errorf("%s at %s has received %d messages, want %d", user.Name(), s.Instance, s.Received, want)
		}
	}
	waittest.UntilNil(t, "everybody is notified that the lost users have left", func() error {
		for _, r := range c.records() {
			leaves := leavesIn(r)
			for name := range c.lost {
				if leaves[name] == 0 {
					return fmt.Errorf("%s is not notified that %s left: %s", r.Name, name, c.describe(r.Name))
				}
			}
		}
		return nil
	})
}
