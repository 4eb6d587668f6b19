package backplane

import "testing"

// A suspicion that comes between two ticks is taken up by the second one.
func TestSuspicionIsTakenUpByTheNextTick(t *testing.T) {
	p := testProtocol("a", "b")
	p.suspect("a")
	p.tick(someTime)
	if p.membership.peers["a"].suspectedAt.IsZero() {
		t.Error("a is not suspected, want every suspicion taken up")
	}
	p.suspect("b")
	p.tick(someTime.Add(tickEvery))
	if p.membership.peers["b"].suspectedAt.IsZero() {
		t.Error("b is not suspected, want every suspicion taken up")
	}
}
