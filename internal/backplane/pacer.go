package backplane

import (
	"errors"
	"time"
)

const (
	// The pause between two sends after the bus was busy. It doubles with each refusal and shrinks by a
	// quarter with each success. Service Bus asks for two seconds; batches grow during the pause.
	minInterval = 50 * time.Millisecond
	maxInterval = 2 * time.Second
	// The pause before the bus is tried again after another failure, doubling.
	minRetry = 100 * time.Millisecond
	maxRetry = 2 * time.Second
	// logEvery is how often the program's log mentions a condition that lasts.
	logEvery = 30 * time.Second
)

// pacer decides how long to wait after an operation of the bus. Each goroutine that calls the bus has one.
type pacer struct {
	interval time.Duration // after busy
	retry    time.Duration // after another failure
	loggedAt time.Time     // when a failure was last logged
}

// pause takes the outcome of an operation and returns how long to wait before the next one.
func (p *protocol) pause(now time.Time, c *pacer, err error) time.Duration {
	switch {
	case errors.Is(err, ErrBusy):
		c.interval = min(max(2*c.interval, minInterval), maxInterval)
		return c.interval
	case err != nil:
		if c.retry == 0 || now.Sub(c.loggedAt) >= logEvery {
			c.loggedAt = now
			p.logWarn("bus operation failed", "err", err)
		}
		c.retry = min(max(2*c.retry, minRetry), maxRetry)
		return c.retry
	}
	if c.retry > 0 {
		p.logInfo("bus operation succeeded again")
	}
	c.retry = 0
	if c.interval = c.interval * 3 / 4; c.interval < minInterval/8 {
		c.interval = 0
	}
	return c.interval
}

var errReceiveEnded = errors.New("receive ended without an error")

// receiveEnded takes the outcome of a call of Bus.Receive, and whether the call has delivered anything.
// interrupted says that effectReceiveAgain ended it. It returns how long to wait before the next call.
func (p *protocol) receiveEnded(now time.Time, err error, delivered, interrupted bool) (pause time.Duration) {
	p.counters.Restarts++
	if delivered {
		p.receiving.retry = 0
	}
	if interrupted {
		return 0
	}
	p.counters.Failures++
	if err == nil {
		err = errReceiveEnded
	}
	return p.pause(now, &p.receiving, err)
}
