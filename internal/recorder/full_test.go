package recorder_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/backplane"
	"chatapp/internal/recorder"
	"chatapp/internal/store/storetest"
)

// fullArchive is an archive whose bus is as full as a test says.
type fullArchive struct {
	mu      sync.Mutex // guards what follows
	used    int64      // percent
	asked   int
	dropped []float64
}

func (a *fullArchive) Peek(context.Context, func([]byte) error) error { return nil }

func (a *fullArchive) Drain(ctx context.Context, _ func([]byte, func())) error {
	<-ctx.Done()
	return ctx.Err()
}

func (a *fullArchive) Usage(context.Context) (used, limit int64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.used, 100, nil
}

func (a *fullArchive) Drop(_ context.Context, share float64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropped = append(a.dropped, share)
	a.used -= int64(share * float64(a.used))
	return 7, nil
}

// set has the bus be as full as that, and returns how often it was asked and what was dropped since the last call.
func (a *fullArchive) set(used int64) (asked int, dropped []float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked, dropped = a.asked, a.dropped
	a.used, a.asked, a.dropped = used, 0, nil
	return asked, dropped
}

// While the store is down, the bus keeps what it lacks, and messages count as saved. Where that has nearly filled the
// bus, the oldest go, and all instances say that messages are not saved, also behind a new archivist, until the store
// has everything. While the store is not behind, the bus is not asked.
func TestNearlyFullBusDropsTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, bus := newCluster(t, 5), new(fullArchive)
		o := recorder.Options{Behind: true, Archive: bus,
			Settled: func(*backplane.Archived) (uint64, bool, error) { return 0, false, nil }}
		for range 3 {
			c.start(o)
			c.wantReady()
		}
		sayFor := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); sleep(5 * time.Second) {
				c.live[1].say()
			}
		}
		want := func(when string, saved, atRisk bool, why string) {
			t.Helper()
			for _, i := range c.live {
				s := i.recorder.Status()
				if s.Saved != saved || s.AtRisk != atRisk || !strings.Contains(s.Why, why) {
					t.Errorf("%s: %s has the status %+v, want saved %v, at risk %v, %q", when, i.name, s, saved,
						atRisk, why)
				}
			}
		}
		bus.set(90) // by others
		sayFor(5 * time.Minute)
		if asked, dropped := bus.set(79); asked > 0 || len(dropped) > 0 {
			t.Errorf("the bus was asked %d times and dropped %v, though the store is not behind", asked, dropped)
		}
		c.store.SetFaults(storetest.Faults{Full: 1})
		sayFor(5 * time.Minute)
		want("the bus has room", false, false, "wait on the bus")
		if asked, dropped := bus.set(90); asked < 3 || asked > 5 || len(dropped) > 0 {
			t.Errorf("in 5 minutes the bus was asked %d times and dropped %v, want once a minute and nothing", asked,
				dropped)
		}
		sayFor(2 * time.Minute)
		want("the bus has no room", false, true, "no more room")
		if _, dropped := bus.set(75); len(dropped) != 1 || dropped[0] < .16 || dropped[0] > .17 {
			t.Errorf("the bus dropped the shares %v, want 15 of 90 once", dropped)
		}
		if s := c.live[0].recorder.Status(); s.Dropped != 7 {
			t.Errorf("status is %+v, want 7 messages dropped", s)
		}
		c.crash(0)
		sayFor(time.Minute)
		want("another archivist", false, true, "no more room")
		c.store.SetFaults(storetest.Faults{})
		sayFor(2 * time.Minute)
		want("the store works", true, false, "")
		c.wantStored(c.live[0].texts)
	})
}

// An archivist that dies with entries that are not stored is replaced within a minute or so, although no client is
// there to notice, and the next one stores them. What is stored has nobody ask for the archivist.
func TestDeadArchivistIsReplacedWithoutClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 6)
		c.quiet = true
		for range 3 {
			c.start(recorder.Options{Behind: true})
			c.wantReady()
		}
		sleep(2 * time.Minute)
		before := c.live[1].node.Counters().Batches
		c.live[1].say()
		sleep(2 * time.Minute)
		c.wantStored(c.live[1].texts)
		if got := c.live[1].node.Counters().Batches - before; got != 1 {
			t.Errorf("%d batches say something, want 1: the archivist tells by itself that it is stored", got)
		}
		idle := c.live[1].node.Counters().Received
		sleep(5 * time.Minute)
		if got := c.live[1].node.Counters().Received - idle; got > 10 {
			t.Errorf("%d messages came in 5 minutes without anything to store, want signs of life alone", got)
		}
		c.store.SetFaults(storetest.Faults{Time: time.Second})
		c.live[1].say()
		sleep(500 * time.Millisecond)
		c.crash(0)
		c.store.SetFaults(storetest.Faults{})
		sleep(70 * time.Second)
		c.wantStored(c.live[0].texts)
		if s := c.live[0].recorder.Status(); !s.Writes || len(c.live[0].texts) != 2 {
			t.Errorf("status is %+v with %d entries, want this instance to write two", s, len(c.live[0].texts))
		}
	})
}
