package backplane

import (
	"testing"
	"time"
)

// Receive is called again when an own entry does not come back: later on a bus that was slow when it last delivered,
// but not for as long as that took several times over.
func TestReceiveIsCalledAgainAfterSilence(t *testing.T) {
	for _, test := range []struct{ roundTrip, want time.Duration }{
		{20 * time.Millisecond, silentReceive},
		{time.Second, 3 * time.Second},
		{8 * time.Second, maxSlowReceive},
	} {
		p := newProtocol(config{})
		p.silence.roundTrip = test.roundTrip
		p.signs.receivedAt, p.outbox.headSent = someTime, someTime
		for now := someTime; len(p.effects) == 0; now = now.Add(tickEvery) {
			if p.receiveTick(now); len(p.effects) > 0 && now.Sub(someTime) != test.want {
				t.Errorf("with round trips of %v, Receive is called again after %v, want %v",
					test.roundTrip, now.Sub(someTime), test.want)
			}
			if now.Sub(someTime) > time.Minute {
				t.Fatalf("with round trips of %v, Receive is never called again", test.roundTrip)
			}
		}
	}
}
