package emulator

import (
	"io"
	"time"
)

// turn passes a connection's state between its two goroutines, the reader and the loop. Whichever has the turn owns
// what belongs to the loop. The reader handles the frames that it has read, and answers them: to hand them to another
// goroutine would cost more than a small request itself.
type turn struct {
	taken chan struct{} // of size 1: full while one of them has the turn

	gathered int // chunks handled since the last write; owned by the turn
}

// beginTurn waits until the other goroutine has ended its turn.
func (c *conn) beginTurn() {
	c.taken <- struct{}{}
	c.mu.Lock()
	c.attended = true
	c.mu.Unlock()
	c.now = time.Now()
}

// endTurn handles what the turn itself woke, writes the output and sets the timer. It reports whether the connection
// goes on. The loop has a turn next if anything is left to do.
func (c *conn) endTurn() bool {
	c.handleWakeups()
	if !c.flush() {
		c.finished = true
	}
	c.gathered = 0
	if !c.finished {
		c.out.release()
		c.setTimer()
	}
	return c.passTurn(c.finished)
}

// passTurn lets the other goroutine have its turn, and wakes the loop if asked to or if a link was woken meanwhile. It
// reports whether the connection goes on.
func (c *conn) passTurn(wake bool) bool {
	goesOn := !c.finished
	c.mu.Lock()
	c.attended = false
	wake = wake || len(c.waiting)+len(c.tasks) > 0
	c.mu.Unlock()
	<-c.taken
	if wake {
		c.wakeLoop()
	}
	return goesOn
}

// loop handles wake-ups and timers until the connection ends.
func (c *conn) loop() {
	c.beginTurn()
	for c.endTurn() {
		select {
		case <-c.wake:
			c.beginTurn()
		case <-c.timer.C:
			c.beginTurn()
			c.timerAt = time.Time{}
			if !c.finished {
				c.runTimers()
			}
		case <-c.aborted:
			return
		}
	}
}

// read is the reader. When the connection is finished it discards what the client still sends, until the network
// connection ends: the kernel resets a connection that is closed with unread input, and the client would then not read
// the close frame.
func (c *conn) read() {
	for {
		n, err := c.in.completeFrames()
		if n > 0 && !c.readTurn(func() { c.frames(c.in.buf[:n]) }) {
			break
		}
		c.in.consume(n)
		if err == nil {
			err = c.in.fill()
		}
		if err != nil {
			c.readTurn(func() { c.readEnded(err) })
			break
		}
	}
	_ = c.nc.SetReadDeadline(time.Time{}) // reading reports the error
	_, _ = io.Copy(io.Discard, c.nc)
}

// readTurn handles what was read, unless the connection is finished, and reports whether it goes on.
func (c *conn) readTurn(handle func()) bool {
	c.beginTurn()
	if c.finished {
		return c.passTurn(false)
	}
	c.handleWakeups() // a fault requested before these frames came takes effect before them
	handle()
	if c.gathers() {
		c.gathered++
		return c.passTurn(true)
	}
	return c.endTurn()
}

// maxGathered bounds how many chunks wait for their answers.
const maxGathered = 64

// gathers reports whether completions wait for others, because the client has more deliveries to complete and nothing
// else is to be written. The loop answers them when it gets its turn; the reader reads on meanwhile. So those which
// come one after the other are answered together: an answer costs a write, most of what a completion costs.
func (c *conn) gathers() bool {
	if c.finished || c.gathered >= maxGathered-1 || len(c.out.buf) > 0 {
		return false
	}
	for _, s := range c.withDisposition {
		if len(s.unsettled) > 0 {
			return true
		}
	}
	return false
}
