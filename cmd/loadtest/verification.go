package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"chatapp/internal/chatcheck"
	"chatapp/internal/chatclient"
)

// verification is one run of verify.
type verification struct {
	verifyConfig
	out   io.Writer
	run   string // part of the names of this run's users
	users []*chatcheck.Client
	left  *chatcheck.Client // the user who has left on purpose

	mu       sync.Mutex
	problems []string // guarded by mu
}

func (v *verification) problem(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.problems = append(v.problems, fmt.Sprintf(format, args...))
}

func (v *verification) print(format string, args ...any) { fmt.Fprintf(v.out, format+"\n", args...) }

// verify goes through all the steps, as far as they make sense after those before.
func (v *verification) verify(ctx context.Context) {
	began := time.Now()
	if err := v.join(ctx); err != nil {
		v.problem("%v", err)
		return
	}
	v.print("joined       %d users by both protocols at %d addresses in %v",
		len(v.users), len(v.urls), time.Since(began).Round(time.Millisecond))
	v.checkPresence(ctx, "after joining")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		v.send(ctx)
	}()
	v.cut(ctx)
	<-sent
	v.awaitDeliveries(ctx)
	v.checkPresence(ctx, "after all were back")
	v.leave(ctx)
}

func (v *verification) join(ctx context.Context) error {
	v.users = make([]*chatcheck.Client, v.clients)
	failures := make([]error, v.clients)
	each(ctx, v.clients, 16, func(n int) {
		ctx, cancel := context.WithTimeout(ctx, v.patience)
		defer cancel()
		v.users[n], failures[n] = chatcheck.Join(ctx, chatcheck.Options{
			URLs: v.urls, First: n, Insecure: v.insecure,
			Protocol: chatclient.Protocol(n / len(v.urls) % 2), Name: fmt.Sprintf("verify-%s-%d", v.run, n),
		})
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted while joining")
	}
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// send has the senders send their messages.
func (v *verification) send(ctx context.Context) {
	var group sync.WaitGroup
	for _, c := range v.users[:v.senders] {
		group.Go(func() {
			ticker := time.NewTicker(time.Duration(float64(time.Second) / v.rate))
			defer ticker.Stop()
			for n := range v.messages {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(ctx, v.patience)
					defer cancel()
					if _, err := c.Send(ctx, fmt.Sprintf("%s: %d", c.Name(), n)); err != nil {
						v.problem("%s: not acknowledged: %v", c.Name(), err)
					}
				})
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		})
	}
	group.Wait()
}

// cut breaks the connections of a third of the users while others send. They come back at the next
// address.
func (v *verification) cut(ctx context.Context) {
	wait(ctx, time.Duration(float64(v.messages)/v.rate/4*float64(time.Second)), nil)
	var cut []*chatcheck.Client
	for n := 0; n < len(v.users); n += 3 {
		cut = append(cut, v.users[n])
		v.users[n].Cut(v.away)
	}
	ctx, cancel := context.WithTimeout(ctx, v.away+v.patience)
	defer cancel()
	moved := 0
	for _, c := range cut {
		if err := c.Await(ctx, func(s chatcheck.State) bool { return s.Named && s.Reconnects > 0 }); err != nil {
			v.problem("%s did not come back after its connection was cut", c.Name())
		} else if instances := c.Record().Instances; len(instances) > 1 {
			moved++
		}
	}
	v.print("cut off      %d users for %v; they are back, %d of them at another instance", len(cut), v.away, moved)
}

// awaitDeliveries waits until every user has received everything. What is missing after that, the
// comparison reports.
func (v *verification) awaitDeliveries(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	all := v.senders * v.messages
	for n, c := range v.users {
		want := all
		if n < v.senders {
			want -= v.messages
		}
		if c.Await(ctx, func(s chatcheck.State) bool { return s.Received >= want }) != nil {
			return
		}
	}
}

// askEvery is less often than users may ask for presence.
const askEvery = 500 * time.Millisecond

// checkPresence waits until a user at every address sees all users, and none of them away.
func (v *verification) checkPresence(ctx context.Context, when string) {
	began := time.Now()
	for n := range min(len(v.urls), len(v.users)) {
		c := v.users[n]
		if err := v.eventually(ctx, func(ctx context.Context) error { return v.presence(ctx, c) }); err != nil {
			v.problem("presence %s, as %s has it: %v", when, c.Name(), err)
			return
		}
	}
	v.print("presence     right everywhere %s, after %v", when, time.Since(began).Round(time.Millisecond))
}

// presence returns what is wrong with the presence that one user's instance has.
func (v *verification) presence(ctx context.Context, c *chatcheck.Client) error {
	got, err := c.Presence(ctx)
	if err != nil {
		return err
	}
	for _, u := range v.users {
		away, present := got[u.Name()]
		delete(got, u.Name())
		switch {
		case u == v.left && present:
			return fmt.Errorf("%s is still present", u.Name())
		case u != v.left && !present:
			return fmt.Errorf("%s is missing", u.Name())
		case away:
			return fmt.Errorf("%s is away", u.Name())
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "verify-"+v.run) {
			return fmt.Errorf("%s is no user of this run", name)
		}
	}
	return nil
}

// eventually tries until holds returns nil or patience ends, and returns the last error.
func (v *verification) eventually(ctx context.Context, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, v.patience)
	defer cancel()
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		wait(ctx, askEvery, nil)
		if ctx.Err() != nil {
			return err
		}
	}
}

// leave has one user leave. All others must be notified of that once.
func (v *verification) leave(ctx context.Context) {
	v.left = v.users[len(v.users)-1]
	v.left.Leave()
	v.checkPresence(ctx, "after one has left")
	for _, c := range v.users[:len(v.users)-1] {
		if err := v.eventually(ctx, func(context.Context) error {
			n := 0
			for _, l := range c.Record().Lines {
				if l.Kind == "leave" && l.From == v.left.Name() {
					n++
				}
			}
			if n != 1 {
				return fmt.Errorf("notified %d times", n)
			}
			return nil
		}); err != nil {
			v.problem("%s must be notified once that %s left: %v", c.Name(), v.left.Name(), err)
			return
		}
	}
}

// end has all users leave.
func (v *verification) end() {
	var group sync.WaitGroup
	for _, c := range v.users {
		if c != nil && c != v.left {
			group.Go(c.Leave)
		}
	}
	group.Wait()
}
