package emulator

import (
	"time"

	"chatapp/internal/emulator/amqp"
)

// sweepInterval is how often a connection checks for idle links and expired tokens.
const sweepInterval = 10 * time.Second

// connTimers are the times by which a connection acts by itself. The loop owns them and sleeps until the next.
type connTimers struct {
	now time.Time // when the loop last woke up

	timer        *time.Timer
	timerAt      time.Time // when the timer fires; zero after it has
	openedAt     time.Time
	noLinksSince time.Time // meaningful while there is no link
	hadLinks     bool
	nextSweep    time.Time
	keepAlive    time.Duration // the longest time without a frame to the client; 0 means no limit
}

// setTimer makes the timer fire at the next deadline or earlier, because runTimers does only what is due.
func (c *conn) setTimer() {
	if next := c.nextDeadline(); c.timerAt.IsZero() || next.Before(c.timerAt) {
		c.timerAt = next
		c.timer.Reset(max(time.Until(next), 0))
	}
}

// nextDeadline returns when the loop has something to do, unless it is woken earlier.
func (c *conn) nextDeadline() time.Time {
	next := c.nextSweep
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if c.keepAlive > 0 {
		earlier(c.out.written.Add(c.keepAlive))
	}
	if len(c.out.delayed) > 0 {
		earlier(c.out.delayed[0].due)
	}
	if !c.authorized {
		earlier(c.openedAt.Add(firstTokenTimeout))
	}
	if c.links == 0 {
		earlier(c.noLinksSince.Add(c.noLinksTimeout()))
	}
	for l := range c.awaitingSession {
		earlier(l.acceptDeadline)
	}
	for _, tx := range c.transactions {
		earlier(tx.deadline)
	}
	if !c.faults.stalledUntil.IsZero() {
		earlier(c.faults.stalledUntil)
	}
	return next
}

func (c *conn) noLinksTimeout() time.Duration {
	if c.hadLinks {
		return noLinksLeftTimeout
	}
	return neverLinkedTimeout
}

// runTimers does what is due at c.now.
func (c *conn) runTimers() {
	if err := c.out.writeDelayed(c.now); err != nil {
		c.log.Debug("write", "err", err)
		c.finished = true
		return
	}
	if c.keepAlive > 0 && !c.now.Before(c.out.written.Add(c.keepAlive)) {
		c.out.buf = amqp.EndFrame(amqp.BeginFrame(c.out.buffer(), amqp.FrameAMQP, 0), len(c.out.buf), 0)
	}
	switch {
	case !c.authorized && !c.now.Before(c.openedAt.Add(firstTokenTimeout)):
		c.fail(amqp.Errorf(amqp.CondConnectionForced, "No token was put to $cbs within %s of connecting.",
			firstTokenTimeout))
		return
	case c.links == 0 && !c.now.Before(c.noLinksSince.Add(c.noLinksTimeout())):
		c.fail(amqp.Errorf(amqp.CondConnectionForced,
			"The connection was inactive for more than the allowed %d milliseconds and is closed by container '%s'.",
			c.noLinksTimeout().Milliseconds(), c.server.containerID))
		return
	}
	for l := range c.awaitingSession {
		if !c.now.Before(l.acceptDeadline) {
			l.acceptTimedOut()
		}
	}
	c.rollBackWhere(func(tx *transaction) bool { return !c.now.Before(tx.deadline) })
	if t := c.faults.stalledUntil; !t.IsZero() && !c.now.Before(t) {
		c.faults.stalledUntil = time.Time{}
		c.grantAllCredit()
	}
	if !c.now.Before(c.nextSweep) {
		c.nextSweep = c.now.Add(sweepInterval)
		c.sweep()
	}
}

// sweep detaches links that were idle for too long and links whose token has expired.
func (c *conn) sweep() {
	for path, g := range c.grants {
		if !g.validAt(c.now) {
			delete(c.grants, path)
		}
	}
	for _, s := range c.sessions {
		for _, e := range s.links {
			l := e.base()
			switch {
			case l.path == "" || l.closed:
			case c.now.Sub(l.lastUsed) >= linkIdleTimeout:
				l.detach(amqp.Errorf(amqp.CondDetachForced,
					"The link '%s' is force detached. Code: %s. Details: AmqpMessage%s.IdleTimerExpired: Idle "+
						"timeout: 00:10:00.",
					l.name, l.role(), l.role()))
			case !c.claimsFor(l.path).Has(l.requiredClaims):
				l.detach(amqp.Errorf(amqp.CondUnauthorizedAccess, "ExpiredToken: The token for '%s' has expired.",
					l.path))
			}
		}
	}
}
