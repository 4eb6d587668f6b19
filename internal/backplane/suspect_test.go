package backplane

import (
	"sync"
	"testing"
	"time"
)

// Users turn up, and their instances are suspected, while the loop looks after the members.
func TestSuspectWhileTheLoopTicks(t *testing.T) {
	n, _ := inStep("a", "b")
	const rounds = 2000
	var group sync.WaitGroup
	group.Go(func() {
		for range rounds {
			n.Suspect("a")
		}
	})
	start := time.Now()
	for i := range rounds {
		n.memberTick(start.Add(time.Duration(i) * tickEvery))
	}
	group.Wait()
	n.memberTick(start.Add(rounds * tickEvery))
	if n.peer("a").suspected.IsZero() {
		t.Error("a is not suspected, want that no word of it is lost")
	}
}
