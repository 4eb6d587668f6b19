package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"chatapp/internal/chatclient"
)

// clients opens and closes the connections of one run.
type clients struct {
	load    *load
	targets []chatclient.Target
	prefix  string // of nicknames

	mu      sync.Mutex
	tried   int
	refused int   // clients the server did not accept
	first   error // the first of their errors
	took    histogram
	wg      sync.WaitGroup // their goroutines
}

func newClients(cfg config) *clients {
	run := rand.Uint64N(1 << (4 * runDigits))
	l := &load{
		protocol: cfg.protocol, epoch: time.Now(), run: run, letters: filling(cfg.traffic.size), senders: cfg.senders,
		shards: newShards(2 * runtime.GOMAXPROCS(0)), timeout: cfg.timeout,
	}
	return &clients{load: l, targets: cfg.targets, prefix: fmt.Sprintf("load-%0*x-", runDigits, run)}
}

// newClient returns the client of that number, which has not connected. Numbers spread clients over
// the targets.
func (all *clients) newClient(number int, named bool) *client {
	name := ""
	if named {
		name = fmt.Sprint(all.prefix, number)
	}
	return newClient(all.load, number, all.targets[number%len(all.targets)], name)
}

// launch starts the client's goroutine.
func (all *clients) launch(ctx context.Context, c *client) {
	all.wg.Go(func() { c.serve(ctx) })
}

// settle waits until the server has accepted c or has not, and counts it.
func (all *clients) settle(c *client) error {
	err := <-c.settled
	all.mu.Lock()
	defer all.mu.Unlock()
	all.tried++
	if err == nil {
		all.took.record(c.took)
		return nil
	}
	all.refused++
	if all.first == nil {
		all.first = fmt.Errorf("client %d: %w", c.number, err)
	}
	return err
}

// progress returns how many clients have settled and how many of them were not accepted.
func (all *clients) progress() (tried, refused int) {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.tried, all.refused
}

// summary reports on the connecting, which took elapsed in all.
func (all *clients) summary(elapsed time.Duration) *connectReport {
	all.mu.Lock()
	defer all.mu.Unlock()
	accepted := all.tried - all.refused
	return &connectReport{
		Accepted: accepted, Failed: all.refused, Seconds: elapsed.Seconds(),
		PerSecond: float64(accepted) / elapsed.Seconds(), Latency: newLatency(&all.took),
	}
}

// each runs do for the numbers below n, at most width of them at a time, until ctx ends. It returns
// once all calls have returned.
func each(ctx context.Context, n, width int, do func(i int)) {
	var wg sync.WaitGroup
	numbers := make(chan int)
	for range min(n, width) {
		wg.Go(func() {
			for i := range numbers {
				do(i)
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
}

// quiet waits until the clients have received nothing for a while: the announcements that
// connecting has caused are over then. It waits no longer than limit.
func (all *clients) quiet(ctx context.Context, limit time.Duration) {
	const still = 300 * time.Millisecond
	ticker := time.NewTicker(still)
	defer ticker.Stop()
	last := all.load.shards.sum().frames
	for waited := time.Duration(0); waited < limit; waited += still {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		frames := all.load.shards.sum().frames
		if frames == last {
			return
		}
		last = frames
	}
}

// close closes the connections of some clients, with a closing handshake, and waits for the
// goroutines of all.
func (all *clients) close(some []*client) {
	for _, c := range some {
		c.leave()
	}
	all.wg.Wait()
}

// dropped counts the clients whose connection the server has ended, and returns the first one's error.
func dropped(some []*client) (n int, first error) {
	for _, c := range some {
		select {
		case <-c.ended:
			if n++; first == nil {
				first = fmt.Errorf("client %d: %w", c.number, c.err)
			}
		default:
		}
	}
	return n, first
}
