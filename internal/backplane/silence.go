package backplane

import "time"

const (
	// silentReceive is how long nothing may come while something of this instance should, before the call
	// of Receive is ended and made again. The time doubles with each call that delivers nothing.
	silentReceive    = 2500 * time.Millisecond
	maxSilentReceive = 20 * time.Second
	// maxSlowReceive bounds the patience with a bus that was slow when it last delivered: the link may have died then.
	maxSlowReceive = 2 * silentReceive
	// receiveAgainAfter is how long nothing may come after sends succeed again.
	receiveAgainAfter = time.Second
)

// silence finds that the bus has gone silent, or delivers again.
type silence struct {
	refusedSince time.Time     // since when the bus has been too busy for what this instance sends; zero: it is not
	sendsAgainAt time.Time     // when a send succeeded after others had failed; zero: something came since, or never
	againAt      time.Time     // when Receive was last called again for its silence
	after        time.Duration // how long it may be silent until then; 0: silentReceive
	roundTrip    time.Duration // of the own batch that came back last, from the bus having it
	endedAt      time.Time     // when something last came after nothing had come for silentReceive; zero: never
}

// heard notes that something comes.
func (p *protocol) heard(now time.Time) {
	if last := p.signs.receivedAt; now.Sub(last) >= silentReceive {
		p.silence.endedAt = now
	}
	p.signs.receivedAt = now
}

// refused notes that the bus is too busy to take a message.
func (s *silence) refused(now time.Time) {
	if s.refusedSince.IsZero() {
		s.refusedSince = now
	}
}

// taken notes that the bus has taken a message, and whether calls before it had failed. While the bus was too busy,
// nothing may have come because nobody could send. So the calls of Receive that delivered nothing then do not make
// this instance more patient now.
func (s *silence) taken(now time.Time, failed bool) {
	if failed {
		s.sendsAgainAt = now
	}
	if !s.refusedSince.IsZero() && now.Sub(s.refusedSince) >= silentReceive {
		s.after = 0
	}
	s.refusedSince = time.Time{}
}

// wasSilent reports whether what comes now and was sent at a time may be late only because nothing at all came.
func (s *silence) wasSilent(now, sentAt time.Time) bool {
	return s.endedAt.After(sentAt) && now.Sub(s.endedAt) < time.Second
}

// receiveTick has Receive called again when it delivers nothing although it should: this instance's own
// entries or join request, or whatever made sends fail until a moment ago.
func (p *protocol) receiveTick(now time.Time) {
	s, received := &p.silence, p.signs.receivedAt
	if received.After(s.againAt) {
		s.after = 0
	}
	if received.After(s.sendsAgainAt) {
		s.sendsAgainAt = time.Time{}
	}
	after := max(silentReceive, s.after, min(3*s.roundTrip, maxSlowReceive))
	sendsAgain := !s.sendsAgainAt.IsZero() && now.Sub(s.sendsAgainAt) >= receiveAgainAfter
	if !sendsAgain && p.nothingComes(now) < after {
		return
	}
	s.againAt, s.sendsAgainAt = now, time.Time{}
	s.after = min(2*after, maxSilentReceive)
	p.effect(effect{kind: effectReceiveAgain})
}

// nothingComes is how long nothing has come since the bus had something of this instance that is to come
// back, or since Receive was last called again.
func (p *protocol) nothingComes(now time.Time) time.Duration {
	since := p.outbox.headSent
	if p.join != nil {
		since = p.outgoing.requestSentAt
	}
	if since.IsZero() || p.join != nil && !p.join.backAt.IsZero() {
		return 0
	}
	for _, t := range []time.Time{p.signs.receivedAt, p.silence.againAt} {
		if t.After(since) {
			since = t
		}
	}
	return now.Sub(since)
}
