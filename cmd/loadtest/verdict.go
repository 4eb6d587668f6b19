package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"chatapp/internal/chatcheck"
)

// hear waits until everybody has heard everything; what is missing then, the verdict tells.
func (e *examination) hear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
	defer cancel()
	all := e.speakers * e.messages
	for n, c := range e.users {
		want := all
		if n < e.speakers {
			want -= e.messages
		}
		if c.Await(ctx, func(s chatcheck.State) bool { return s.Heard >= want }) != nil {
			return
		}
	}
}

// askEvery is less often than users may ask.
const askEvery = 500 * time.Millisecond

// present waits until the users at every address see everybody, and nobody away.
func (e *examination) present(ctx context.Context, when string) {
	began := time.Now()
	for n := range min(len(e.urls), len(e.users)) {
		if err := e.eventually(ctx, func(ctx context.Context) error { return e.sees(ctx, e.users[n]) }); err != nil {
			e.problem("presence %s, as %s is told: %v", when, e.users[n].Name(), err)
			return
		}
	}
	e.step("presence     right everywhere %s, after %v", when, time.Since(began).Round(time.Millisecond))
}

// sees asks one user who is there.
func (e *examination) sees(ctx context.Context, c *chatcheck.Client) error {
	got, err := c.Presence(ctx)
	if err != nil {
		return err
	}
	for _, u := range e.users {
		away, there := got[u.Name()]
		delete(got, u.Name())
		switch {
		case u == e.gone && there:
			return fmt.Errorf("%s is still there", u.Name())
		case u != e.gone && !there:
			return fmt.Errorf("%s is missing", u.Name())
		case away:
			return fmt.Errorf("%s is away", u.Name())
		}
	}
	for name := range got {
		if strings.HasPrefix(name, "verify-"+e.run) {
			return fmt.Errorf("%s is nobody's name", name)
		}
	}
	return nil
}

// eventually tries until something holds or patience ends, and returns why it does not.
func (e *examination) eventually(ctx context.Context, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, e.patience)
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

// leave has a user leave, of which everybody must be told once.
func (e *examination) leave(ctx context.Context) {
	e.gone = e.users[len(e.users)-1]
	e.gone.Leave()
	e.present(ctx, "after one has left")
	for _, c := range e.users[:len(e.users)-1] {
		told := func() (n int) {
			for _, l := range c.Record().Lines {
				if l.Kind == "leave" && l.From == e.gone.Name() {
					n++
				}
			}
			return n
		}
		if err := e.eventually(ctx, func(context.Context) error {
			if n := told(); n != 1 {
				return fmt.Errorf("told %d times", n)
			}
			return nil
		}); err != nil {
			e.problem("%s was to be told once that %s left: %v", c.Name(), e.gone.Name(), err)
			return
		}
	}
}

// verdict compares what everybody remembers, prints what comes of it all, and returns the exit status.
func (e *examination) verdict() int {
	var records []chatcheck.Record
	for _, c := range e.users {
		if c != nil {
			records = append(records, c.Record())
		}
	}
	if len(records) == e.clients {
		v := chatcheck.Judge(records)
		e.problems = append(e.problems, v.Faults...)
		if want := e.speakers * e.messages; v.Said != want {
			e.problem("%d of %d messages acknowledged", v.Said, want)
		}
		e.print(v, records)
	}
	for _, problem := range e.problems {
		e.step("FAILED       %s", problem)
	}
	if len(e.problems) > 0 {
		return 1
	}
	e.step("ok")
	return 0
}

func (e *examination) print(v chatcheck.Verdict, records []chatcheck.Record) {
	served := make(map[string]bool)
	for _, r := range records {
		for _, instance := range r.Instances {
			served[instance] = true
		}
	}
	e.step("served       by %d instances; %d returns after lost connections", len(served), v.Returns)
	e.step("said         %d messages, acknowledged after p50 %s  p99 %s", v.Said, quantile(v.Acks, .5), quantile(v.Acks, .99))
	e.step("heard        %d of %d, while connected after p50 %s  p99 %s", v.Expected-v.Lost, v.Expected,
		quantile(v.Deliveries, .5), quantile(v.Deliveries, .99))
	e.step("verified     %d lost, %d doubled, %d changed, %d users saw another order, %d could not be told what they had missed",
		v.Lost, v.Doubled, v.Changed, v.Disorder, v.Resets)
}

func quantile(sorted []time.Duration, part float64) string {
	return millis(micros(chatcheck.Quantile(sorted, part)))
}

// end closes all clients.
func (e *examination) end() {
	var group sync.WaitGroup
	for _, c := range e.users {
		if c != nil && c != e.gone {
			group.Go(c.Leave)
		}
	}
	group.Wait()
}
