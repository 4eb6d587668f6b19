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

// Calls of Receive that deliver nothing make an instance more patient, but not those of a time in which the bus was too
// busy to take anything.
func TestBusyBusMakesNobodyPatientWithSilence(t *testing.T) {
	for _, test := range []struct {
		refused time.Duration
		want    time.Duration
	}{
		{0, 4 * silentReceive},
		{time.Second, 4 * silentReceive},
		{silentReceive, silentReceive},
	} {
		p := newProtocol(config{})
		now := someTime
		p.signs.receivedAt, p.outbox.headSent = now, now
		for calls := 0; calls < 2; now = now.Add(tickEvery) {
			p.effects = p.effects[:0]
			if p.receiveTick(now); len(p.effects) > 0 {
				calls++
			}
		}
		sign := &message{envelope: envelope{Kind: kindSign}, unicast: &unicast{}}
		if test.refused > 0 {
			p.published(now, sign, 0, ErrBusy)
			p.published(now.Add(test.refused/2), sign, 0, ErrBusy)
		}
		now = now.Add(test.refused)
		p.published(now, sign, 0, nil)
		p.outbox.headSent = now
		p.effects = p.effects[:0]
		since := now
		for ; len(p.effects) == 0 && now.Sub(since) < time.Minute; now = now.Add(tickEvery) {
			p.receiveTick(now)
		}
		if got := now.Sub(since) - tickEvery; got != test.want {
			t.Errorf("after the bus was busy for %v, Receive is called again after %v, want %v",
				test.refused, got, test.want)
		}
	}
}
