package socketio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q deadlines
		start := time.Now()
		fired := make(chan time.Duration, 100) // holds all there are
		var entries []*deadline
		for i := range 100 {
			d := time.Duration(rand.IntN(50)) * time.Second
			entries = append(entries, q.add(d, func() {
				if took := time.Since(start); took != d {
					t.Errorf("deadline %d of %v is called after %v", i, d, took)
				}
				fired <- d
			}))
		}
		removed := 0
		for i, entry := range entries {
			if i%3 == 0 {
				q.remove(entry)
				q.remove(entry)
				removed++
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(fired) != len(entries)-removed || len(q.queue) > 0 {
			t.Errorf("%d are called, %d are left, want %d and 0", len(fired), len(q.queue), len(entries)-removed)
		}
		var order []time.Duration
		for len(fired) > 0 {
			order = append(order, <-fired)
		}
		if !slices.IsSorted(order) {
			t.Errorf("called in the order %v", order)
		}
	})
}

// TestDeadlinesClose checks that close waits for what is being called and lets nothing else be.
func TestDeadlinesClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q deadlines
		var said []string
		q.add(time.Second, func() {
			time.Sleep(time.Second)
			said = append(said, "first")
		})
		second := q.add(90*time.Second, func() { said = append(said, "second") })
		time.Sleep(1500 * time.Millisecond)
		q.close()
		q.remove(second)
		q.add(time.Second, func() { said = append(said, "third") })
		if got := fmt.Sprint(said); got != "[first]" {
			t.Errorf("called %s before close returns, want the first alone", got)
		}
		time.Sleep(time.Hour)
		if got := fmt.Sprint(said); got != "[first]" {
			t.Errorf("called %s after close", got)
		}
	})
}
