package backplane

import "time"

const (
	// maxSkew is how far this machine's clock may be from the bus's before the program's log says so.
	maxSkew = 10 * time.Second
	// skewEvery is how often it says so.
	skewEvery = 10 * time.Minute
)

// busClock tells the time by the bus's clock, which is one for all instances: entries are stamped with it, and a clock
// that is wrong on one machine moves nobody's time. It takes the time at which the bus enqueued a message from what
// arrives, and carries it on by the local clock, of which it uses durations alone.
//
// Every message that arrives shows that it is no earlier than when that was enqueued. An own one also shows that it was
// no later then than when this instance had it sent, and no earlier than when the bus had taken it, however much later
// it arrives. So the time is exact to about the time of a round trip.
type busClock struct {
	at       time.Time // a local time; zero: nothing is known
	bus      time.Time // the bus's time then
	enqueued time.Time // when the message was enqueued that is being received; zero: not known
	warnedAt time.Time // when the program's log last mentioned that this machine's clock is wrong
}

// now is the bus's time at a local one; zero if it is not known.
func (c *busClock) now(local time.Time) time.Time {
	if c.at.IsZero() {
		return time.Time{}
	}
	return c.bus.Add(local.Sub(c.at))
}

// received notes when a message was enqueued that has arrived.
func (c *busClock) received(local, enqueued time.Time) {
	c.enqueued = enqueued
	if !enqueued.IsZero() && (c.at.IsZero() || c.now(local).Before(enqueued)) {
		c.at, c.bus = local, enqueued
	}
}

// own notes that the message being received is an own one, which did not exist before a local time.
func (c *busClock) own(existed time.Time) {
	if !c.enqueued.IsZero() && c.now(existed).After(c.enqueued) {
		c.at, c.bus = existed, c.enqueued
	}
}

// sent notes that the bus had taken the message being received by a local time; zero: not known.
func (c *busClock) sent(taken time.Time) {
	if !c.enqueued.IsZero() && !taken.IsZero() && c.now(taken).Before(c.enqueued) {
		c.at, c.bus = taken, c.enqueued
	}
}

// stamp is the bus's time at a local one, as in entries; 0 if it is not known. A bus without a clock leaves it to this
// machine's.
func (p *protocol) stamp(local time.Time) int64 {
	if t := p.busTime(local); !t.IsZero() {
		return t.UnixMilli()
	}
	return 0
}

// busTime is the bus's time at a local one; zero if it is not known yet.
func (p *protocol) busTime(local time.Time) time.Time {
	if p.clock.at.IsZero() && p.received {
		return p.wall(local)
	}
	return p.clock.now(local)
}

// clockTick says in the program's log that this machine's clock is wrong.
func (p *protocol) clockTick(now time.Time) {
	c := &p.clock
	if c.at.IsZero() {
		return
	}
	skew := p.wall(now).Sub(c.now(now))
	switch wrong := skew.Abs() > maxSkew; {
	case wrong && (c.warnedAt.IsZero() || now.Sub(c.warnedAt) >= skewEvery):
		c.warnedAt = now
		p.logWarn("this machine's clock differs from that of the bus; entries are stamped with the bus's",
			"ahead", skew.Round(time.Second))
	case !wrong && !c.warnedAt.IsZero():
		c.warnedAt = time.Time{}
		p.logInfo("this machine's clock agrees with that of the bus again")
	}
}
