package chaostest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatapp/internal/chatcheck"
	"chatapp/internal/emulator/emulatortest"
)

// site is a chat: instances, and users at them.
type site struct {
	emulator  *emulatortest.Server
	instances []*instance // that should be alive
	users     []*chatcheck.Client
	lost      map[string]bool // users who are gone for good
	seq       atomic.Int64    // of messages

	// others are users that this package's clients aren't; each tells what it remembers.
	others []func() chatcheck.Record
}

const (
	instances = 3
	// writers is how many users speak: some at each instance.
	writers = 6
	// pace is the time between two messages of a writer.
	pace = 150 * time.Millisecond
)

func usersPerSite() int {
	if *full {
		return 300
	}
	return 60
}

// urls are the addresses of the instances.
func (s *site) urls() []string {
	var all []string
	for _, i := range s.instances {
		all = append(all, i.url)
	}
	return all
}

// populate lets users in: some by each door at each instance.
func (s *site) populate(t *testing.T, urls []string) {
	t.Helper()
	s.lost = make(map[string]bool)
	s.users = make([]*chatcheck.Client, usersPerSite())
	var group sync.WaitGroup
	slots := make(chan struct{}, 20) // that connect at the same time
	for n := range s.users {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, err := chatcheck.Join(ctx, chatcheck.Options{
				URLs: urls, First: n, Door: chatcheck.Door(n / len(urls) % 2), Name: fmt.Sprintf("user-%d", n), Silence: 2 * heartbeat,
			})
			if err != nil {
				t.Error(err)
				return
			}
			s.users[n] = c
		})
	}
	group.Wait()
	t.Cleanup(func() {
		var group sync.WaitGroup
		for _, c := range s.users {
			if c != nil {
				group.Go(c.Close)
			}
		}
		group.Wait()
	})
	if t.Failed() {
		t.FailNow()
	}
}

// talk has the writers speak until the returned function is called, which waits until all they have said was acknowledged.
func (s *site) talk(t *testing.T) (acknowledged *atomic.Int64, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	acknowledged = new(atomic.Int64)
	var group sync.WaitGroup
	for _, c := range s.users[:writers] {
		group.Go(func() {
			ticker := time.NewTicker(pace)
			defer ticker.Stop()
			for {
				group.Go(func() {
					late, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
					defer cancel()
					if _, err := c.Say(late, fmt.Sprintf("message %d", s.seq.Add(1))); err != nil {
						t.Errorf("%s: not acknowledged: %v", c.Name(), err)
						return
					}
					acknowledged.Add(1)
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

// round lets the users talk while something breaks, and afterwards checks what they remember. Some users lose their connections, too, and
// come back at other instances.
func (s *site) round(t *testing.T, breaks func()) {
	t.Helper()
	acknowledged, stop := s.talk(t)
	defer stop()
	proof := func(what string) {
		want := acknowledged.Load() + 2*writers
		took := until(t, what, func() error {
			if n := acknowledged.Load(); n < want {
				return fmt.Errorf("%d of %d messages acknowledged", n, want)
			}
			return nil
		})
		t.Logf("%s: %v", what, took.Round(10*time.Millisecond))
	}
	proof("the chat goes on before")
	for n := 7; n < len(s.users); n += 10 {
		s.users[n].Cut(500 * time.Millisecond)
	}
	s.users[0].Cut(0) // a writer, whose unacknowledged messages he says again
	breaks()
	over := time.Now()
	proof("the chat goes on after")
	s.check(t, over)
	stop()
	s.settle(t)
	s.judge(t)
}

// settle waits until everybody has heard everything.
func (s *site) settle(t *testing.T) {
	t.Helper()
	said := make(map[string]int)
	total := 0
	for _, c := range s.users[:writers] {
		said[c.Name()] = len(c.Record().Said)
		total += said[c.Name()]
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, c := range s.users {
		if s.lost[c.Name()] {
			continue
		}
		want := total - said[c.Name()]
		if err := c.Await(ctx, func(s chatcheck.State) bool { return s.Heard >= want }); err != nil {
			t.Errorf("%s at %s has heard %d messages, want %d", c.Name(), c.State().Instance, c.State().Heard, want)
		}
	}
}

// judge compares what everybody remembers.
func (s *site) judge(t *testing.T) {
	t.Helper()
	var records []chatcheck.Record
	for _, c := range s.users {
		if s.lost[c.Name()] {
			continue
		}
		r := c.Record()
		// A connection that could not be made to an instance that is gone is in order.
		r.Troubles = slices.DeleteFunc(r.Troubles, isRefusedConnection)
		records = append(records, r)
	}
	for _, other := range s.others {
		records = append(records, other())
	}
	v := chatcheck.Judge(records)
	for _, fault := range v.Faults {
		t.Error(fault)
	}
	for _, r := range records {
		if s.judgeLeaves(t, r) {
			break // the others will have been told the same
		}
	}
	t.Logf("%d clients, %d messages, %d deliveries expected, %d lost, %d doubled, %d out of order; %d returns; acknowledged p50 %v p99 %v",
		v.Clients, v.Said, v.Expected, v.Lost, v.Doubled, v.Disorder, v.Returns,
		chatcheck.Quantile(v.Acks, .5).Round(time.Millisecond), chatcheck.Quantile(v.Acks, .99).Round(time.Millisecond))
}

// tell is what a user went through, for people who look for the reason.
func (s *site) tell(name string) string {
	for _, c := range s.users {
		if r := c.Record(); r.Name == name {
			return fmt.Sprintf("served by %q, %d returns, away for %v at most, %d resets, troubles %q", r.Instances, r.Returns,
				r.Away.Round(time.Millisecond), r.Resets, r.Troubles)
		}
	}
	return "a stranger"
}

// slow reports that a user's name may have lapsed: he was away for most of the time for which it is held.
func (s *site) slow(name string) bool {
	return slices.ContainsFunc(s.users, func(c *chatcheck.Client) bool {
		return c.Name() == name && c.Record().Away >= nameHold/2
	})
}

// judgeLeaves checks that a client was told once of each lost user that he left, and of nobody else, except of those whom the machine was
// too slow to bring back while their names were held. It reports whether that is not so.
func (s *site) judgeLeaves(t *testing.T, r chatcheck.Record) (wrong bool) {
	leaves := make(map[string]int)
	for _, l := range r.Lines {
		if l.Kind == "leave" {
			leaves[l.From]++
		}
	}
	for name, n := range leaves {
		if !s.lost[name] && !s.slow(name) {
			t.Errorf("%s was told %d times that %s left, who did not: %s", r.Name, n, name, s.tell(name))
			wrong = true
		}
	}
	for name := range s.lost {
		if leaves[name] != 1 {
			t.Errorf("%s was told %d times that %s left, want once", r.Name, leaves[name], name)
			wrong = true
		}
	}
	return wrong
}
