package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"chatapp/internal/chatcheck"
)

// verification is what the command line of verify asks for.
type verification struct {
	urls     []string
	clients  int
	speakers int
	messages int // of each speaker
	rate     float64
	away     time.Duration
	patience time.Duration
	insecure bool
}

// parseVerify reads the command line of verify; what is wrong goes to output.
func parseVerify(args []string, output io.Writer) (verification, error) {
	var v verification
	flags := flag.NewFlagSet("loadtest verify", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.Usage = func() {
		fmt.Fprintf(output, "usage: loadtest verify [flags] URL...\n\nSeveral URLs are several instances of one chat, or several ways to it. Flags:\n")
		flags.PrintDefaults()
	}
	flags.IntVar(&v.clients, "clients", 24, "users, by both doors; at least one more than speak")
	flags.IntVar(&v.speakers, "speakers", 6, "users who speak")
	flags.IntVar(&v.messages, "messages", 25, "messages of each")
	flags.Float64Var(&v.rate, "rate", 4, "messages a second of each; workers allow 5 unless told otherwise")
	flags.DurationVar(&v.away, "away", time.Second, "how long those stay away whose connections are cut")
	flags.DurationVar(&v.patience, "patience", 30*time.Second, "longest time that anything may take")
	flags.BoolVar(&v.insecure, "insecure", false, "believe any certificate, as of a test deployment")
	if err := flags.Parse(args); err != nil {
		return v, err
	}
	v.urls = flags.Args()
	var problems []error
	for _, raw := range v.urls {
		if _, err := parseTarget(raw, bare{}); err != nil {
			problems = append(problems, fmt.Errorf("URL: %w", err))
		}
	}
	for _, check := range []struct {
		bad    bool
		format string
		value  any
	}{
		{len(v.urls) == 0, "no URL%v", ""},
		{v.speakers < 1, "-speakers %v: want at least 1", v.speakers},
		{v.clients <= v.speakers+1, "-clients %v: want at least two who do not speak", v.clients},
		{v.messages < 1, "-messages %v: want at least 1", v.messages},
		{v.rate <= 0, "-rate %v: want more than nothing", v.rate},
		{v.away < 0, "-away %v: want no less than nothing", v.away},
		{v.patience <= 0, "-patience %v: want more than nothing", v.patience},
	} {
		if check.bad {
			problems = append(problems, fmt.Errorf(check.format, check.value))
		}
	}
	err := errors.Join(problems...)
	if err != nil {
		fmt.Fprintln(output, err)
	}
	return v, err
}

// runVerify is the subcommand: it returns the exit status.
func runVerify(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	v, err := parseVerify(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	e := &examination{verification: v, out: stdout, run: fmt.Sprintf("%08x", rand.Uint32())}
	defer e.end()
	e.examine(ctx)
	return e.verdict()
}

// examination is one run of verify.
type examination struct {
	verification
	out   io.Writer
	run   string // names this run's users
	users []*chatcheck.Client
	gone  *chatcheck.Client // left on purpose

	mu       sync.Mutex
	problems []string // guarded by mu
}

func (e *examination) problem(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.problems = append(e.problems, fmt.Sprintf(format, args...))
}

func (e *examination) step(format string, args ...any) { fmt.Fprintf(e.out, format+"\n", args...) }

// examine goes through all the checks, as far as they make sense after those before.
func (e *examination) examine(ctx context.Context) {
	began := time.Now()
	if err := e.join(ctx); err != nil {
		e.problem("%v", err)
		return
	}
	e.step("joined       %d users by both doors at %d addresses in %v", len(e.users), len(e.urls), time.Since(began).Round(time.Millisecond))
	e.present(ctx, "after joining")
	said := make(chan struct{})
	go func() {
		defer close(said)
		e.speak(ctx)
	}()
	e.cut(ctx)
	<-said
	e.hear(ctx)
	e.present(ctx, "after all were back")
	e.leave(ctx)
}

func (e *examination) join(ctx context.Context) error {
	e.users = make([]*chatcheck.Client, e.clients)
	failures := make([]error, e.clients)
	each(ctx, e.clients, 16, func(n int) {
		ctx, cancel := context.WithTimeout(ctx, e.patience)
		defer cancel()
		e.users[n], failures[n] = chatcheck.Join(ctx, chatcheck.Options{URLs: e.urls, First: n, Insecure: e.insecure,
			Door: chatcheck.Door(n / len(e.urls) % 2), Name: fmt.Sprintf("verify-%s-%d", e.run, n)})
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

// speak has the speakers say their messages.
func (e *examination) speak(ctx context.Context) {
	var group sync.WaitGroup
	for _, c := range e.users[:e.speakers] {
		group.Go(func() {
			ticker := time.NewTicker(time.Duration(float64(time.Second) / e.rate))
			defer ticker.Stop()
			for n := range e.messages {
				group.Go(func() {
					ctx, cancel := context.WithTimeout(ctx, e.patience)
					defer cancel()
					if _, err := c.Say(ctx, fmt.Sprintf("%s: %d", c.Name(), n)); err != nil {
						e.problem("%s: not acknowledged: %v", c.Name(), err)
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

// cut cuts off a third of the users while the others speak, who come back by the next address.
func (e *examination) cut(ctx context.Context) {
	wait(ctx, time.Duration(float64(e.messages)/e.rate/4*float64(time.Second)), nil)
	var cut []*chatcheck.Client
	for n := 0; n < len(e.users); n += 3 {
		cut = append(cut, e.users[n])
		e.users[n].Cut(e.away)
	}
	ctx, cancel := context.WithTimeout(ctx, e.away+e.patience)
	defer cancel()
	moved := 0
	for _, c := range cut {
		if err := c.Await(ctx, func(s chatcheck.State) bool { return s.Named && s.Returns > 0 }); err != nil {
			e.problem("%s did not come back after its connection was cut", c.Name())
		} else if instances := c.Record().Instances; len(instances) > 1 {
			moved++
		}
	}
	e.step("cut off      %d users for %v; they are back, %d of them at another instance", len(cut), e.away, moved)
}
