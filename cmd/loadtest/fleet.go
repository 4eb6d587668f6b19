package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"
)

// fleet is the clients of one run.
type fleet struct {
	load    *load
	targets []target
	prefix  string // of nicknames

	mu      sync.Mutex
	tried   int
	refused int   // clients the server did not accept
	first   error // the first of their errors
	took    histogram
	wg      sync.WaitGroup // their goroutines
}

func newFleet(cfg config) *fleet {
	run := rand.Uint64N(1 << (4 * runDigits))
	l := &load{door: cfg.door, epoch: time.Now(), run: run, letters: filling(cfg.size), senders: cfg.senders,
		lanes: newLanes(2 * runtime.GOMAXPROCS(0)), timeout: cfg.timeout}
	return &fleet{load: l, targets: cfg.targets, prefix: fmt.Sprintf("load-%0*x-", runDigits, run)}
}

// newClient makes client number, with or without a nickname.
func (f *fleet) newClient(number int, named bool) *client {
	name := ""
	if named {
		name = fmt.Sprint(f.prefix, number)
	}
	return newClient(f.load, number, f.targets[number%len(f.targets)], name)
}

// launch starts the client's goroutine.
func (f *fleet) launch(ctx context.Context, c *client) {
	f.wg.Go(func() { c.serve(ctx) })
}

// settle waits until the server has accepted c or has not, and takes note.
func (f *fleet) settle(c *client) error {
	err := <-c.settled
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tried++
	if err == nil {
		f.took.record(c.took)
		return nil
	}
	f.refused++
	if f.first == nil {
		f.first = fmt.Errorf("client %d: %w", c.number, err)
	}
	return err
}

// progress returns how many clients have settled and how many of them were not accepted.
func (f *fleet) progress() (tried, refused int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tried, f.refused
}

// summary tells how connecting went; elapsed is how long it took in all.
func (f *fleet) summary(elapsed time.Duration) *connectReport {
	f.mu.Lock()
	defer f.mu.Unlock()
	accepted := f.tried - f.refused
	return &connectReport{Accepted: accepted, Failed: f.refused, Seconds: elapsed.Seconds(),
		PerSecond: float64(accepted) / elapsed.Seconds(), Latency: newLatency(&f.took)}
}

// each runs do for the numbers below n, at most width of them at a time, until ctx ends; it returns once all that
// were begun are over.
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

// quiet waits until the clients have received nothing for a while: what connecting has set off, such as
// announcements, is over then. A server that is never quiet is waited for until limit.
func (f *fleet) quiet(ctx context.Context, limit time.Duration) {
	const still = 300 * time.Millisecond
	ticker := time.NewTicker(still)
	defer ticker.Stop()
	last := f.load.lanes.sum().frames
	for waited := time.Duration(0); waited < limit; waited += still {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		frames := f.load.lanes.sum().frames
		if frames == last {
			return
		}
		last = frames
	}
}

// close ends all clients in order and waits for their goroutines.
func (f *fleet) close(clients []*client) {
	for _, c := range clients {
		c.leave()
	}
	f.wg.Wait()
}

// dropped counts the clients whose connection has ended although nobody wanted that, with the first one's error.
func dropped(clients []*client) (n int, first error) {
	for _, c := range clients {
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
