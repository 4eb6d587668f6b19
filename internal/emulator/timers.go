package emulator

import (
	"time"

	"chatapp/internal/emulator/amqp"
)

// sweepInterval is how often a connection looks for idle links and tokens that have expired.
const sweepInterval = 10 * time.Second

// nextDeadline is how long the loop may sleep.
func (c *conn) nextDeadline() time.Duration {
	next := c.nextSweep
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if c.keepAlive > 0 {
		earlier(c.out.written.Add(c.keepAlive))
	}
	if len(c.out.late) > 0 {
		earlier(c.out.late[0].due)
	}
	if !c.authorized {
		earlier(c.openedAt.Add(firstTokenTimeout))
	}
	if c.links == 0 {
		earlier(c.linkless.Add(c.linklessTimeout()))
	}
	for l := range c.accepting {
		earlier(l.acceptBy)
	}
	if !c.faults.stalledUntil.IsZero() {
		earlier(c.faults.stalledUntil)
	}
	return max(time.Until(next), 0)
}

func (c *conn) linklessTimeout() time.Duration {
	if c.everLinked {
		return noLinkLeftTimeout
	}
	return noLinkEverTimeout
}

// tick does what is due.
func (c *conn) tick() {
	if err := c.out.writeDue(c.now); err != nil {
		c.log.Debug("write", "err", err)
		c.finished = true
		return
	}
	if c.keepAlive > 0 && !c.now.Before(c.out.written.Add(c.keepAlive)) {
		c.out.buf = amqp.EndFrame(amqp.BeginFrame(c.out.begin(), amqp.FrameAMQP, 0), len(c.out.buf), 0)
	}
	switch {
	case !c.authorized && !c.now.Before(c.openedAt.Add(firstTokenTimeout)):
		c.fail(amqp.Errorf(amqp.CondConnectionForced, "No token was put to $cbs within %s of connecting.", firstTokenTimeout))
		return
	case c.links == 0 && !c.now.Before(c.linkless.Add(c.linklessTimeout())):
		c.fail(amqp.Errorf(amqp.CondConnectionForced, "The connection was inactive for more than the allowed %d milliseconds and is closed by container '%s'.",
			c.linklessTimeout().Milliseconds(), c.server.containerID))
		return
	}
	for l := range c.accepting {
		if !c.now.Before(l.acceptBy) {
			l.giveUpAccepting()
		}
	}
	if t := c.faults.stalledUntil; !t.IsZero() && !c.now.Before(t) {
		c.faults.stalledUntil = time.Time{}
		c.regrant()
	}
	if !c.now.Before(c.nextSweep) {
		c.nextSweep = c.now.Add(sweepInterval)
		c.sweep()
	}
}

// sweep detaches links that were idle too long or whose token has expired.
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
			case l.path == "" || l.over:
			case c.now.Sub(l.used) >= linkIdleTimeout:
				l.detach(amqp.Errorf(amqp.CondDetachForced, "The link '%s' is force detached. Code: %s. Details: AmqpMessage%s.IdleTimerExpired: Idle timeout: 00:10:00.",
					l.name, l.role(), l.role()))
			case !c.claimsFor(l.path).Has(l.needs):
				l.detach(amqp.Errorf(amqp.CondUnauthorizedAccess, "ExpiredToken: The token for '%s' has expired.", l.path))
			}
		}
	}
}
