package backplane

import (
	"errors"
	"testing"
	"time"
)

// An instance to which nobody answers loads the state from the store, to begin a log with it. If it loses messages
// while the store fails, an answer may be among them: it asks again first.
func TestLostMessagesMayHaveBeenAnAnswer(t *testing.T) {
	p := newProtocol(config{instance: "a", recording: true, wall: func(now time.Time) time.Time { return now }})
	loads := func() (count int) {
		for _, e := range p.effects {
			if e.kind == effectLoad {
				count++
			}
		}
		p.effects = nil
		return count
	}
	p.start(someTime, true)
	if got := loads(); got != 1 {
		t.Fatalf("store is loaded %d times, want once", got)
	}
	p.loaded(someTime, nil, errors.New("out of order"))
	p.loadTick(someTime.Add(loadEvery))
	if got := loads(); got != 1 {
		t.Fatalf("store is loaded %d times after it has failed, want once", got)
	}
	p.loaded(someTime, nil, errors.New("out of order"))
	p.join.firstBackAt = someTime
	p.lost(someTime.Add(loadEvery))
	p.loadTick(someTime.Add(3 * loadEvery))
	if got := loads(); got != 0 || !p.join.firstBackAt.IsZero() {
		t.Errorf("store is loaded %d times, silence counts from %v; want neither before the new request is back",
			got, p.join.firstBackAt)
	}
}
