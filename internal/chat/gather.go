package chat

import "time"

// When people come or go one after the other, a line each is told at once. When a crowd does, that would be the square
// of their number: each of thousands is told of each. Then lines gather for a moment. Those of some hundreds are still told one by one, as clients
// of 2017 expect, but leave together, so that each client costs one write and not one for each line; of more, an announcement tells
// of all that followed each other. What is told is the same for everybody, whatever gathers where: the same people in the same
// order, with the same ids. No other line overtakes those that gather: they are told before it. Until they are told, clients
// who come are given the chat as of the last line told (told), and then what gathers like everybody else.
//
// What is told of coming and going is counted in notices, one for each client it is sent to.
const (
	noticesPerSecond = 5000
	noticesAtOnce    = noticesPerSecond / 2
	noticesTogether  = 100_000 // of what has gathered, in lines told one by one: 300 people who come, or 100 who leave 1,000
	maxGathered      = 10_000  // lines
)

// gathering is what has not been told yet of a crowd that comes or goes.
type gathering struct {
	lines   []gathered
	before  position  // of the last line ahead of these
	due     time.Time // when they are told, if nothing else has them told earlier
	last    position  // of the last line presented, told or not
	notices notices
	merges  bool // however few notices it would take to tell the lines one by one
}

// gathered is a line that somebody has come or gone.
type gathered struct {
	room   string
	line   line
	user   *user
	client *client // his, if it is here
}

// notices are an allowance: it fills with time, up to noticesAtOnce. The zero value is full.
type notices struct {
	spent float64
	at    time.Time // when so much was spent
}

// wait returns how long it takes until n are there, or all there can be.
func (a *notices) wait(now time.Time, n int) time.Duration {
	a.spent = max(0, a.spent-now.Sub(a.at).Seconds()*noticesPerSecond)
	a.at = now
	missing := a.spent + float64(min(n, noticesAtOnce)) - noticesAtOnce
	return time.Duration(max(0, missing) / noticesPerSecond * float64(time.Second))
}

// spend takes n, on credit if need be, but no more than takes a second to come in.
func (a *notices) spend(n int) { a.spent = min(a.spent+float64(n), noticesPerSecond) }

// gather decides which of the changes by one entry are told at once, and keeps the others. It is called before anybody is
// told of any.
func (c *Chat) gather(changes []change) {
	for i := range changes {
		if kind := changes[i].kind; kind == spoke || kind == renamed {
			c.tellGathered()
			c.gathering.last = c.state.last
			return
		}
	}
	for i := range changes {
		if kind := changes[i].kind; kind == joined || kind == left {
			c.gatherLine(&changes[i])
			c.gathering.last = changes[i].line.position()
		}
	}
}

func (c *Chat) gatherLine(ch *change) {
	h := c.halls[ch.room]
	if h == nil {
		return // there is nobody to tell
	}
	g, now, listeners := &c.gathering, time.Now(), h.listeners()
	if len(g.lines) == 0 {
		wait := g.notices.wait(now, listeners)
		if wait == 0 {
			g.notices.spend(listeners)
			return
		}
		g.before, g.due = g.last, now.Add(wait)
		c.awaitCalm(now)
		c.schedule(task{at: g.due, kind: tellOfCrowd})
	}
	g.lines = append(g.lines, gathered{ch.room, ch.line, ch.user, c.clientAt(ch.at)})
	ch.gathered = true
	if len(g.lines) == maxGathered {
		c.tellGathered()
	}
}

// told is the place in the log up to which clients here have been told what happened.
func (c *Chat) told() position {
	if len(c.gathering.lines) > 0 {
		return c.gathering.before
	}
	return c.state.last
}

// tellGathered tells what has gathered.
func (c *Chat) tellGathered() {
	g := &c.gathering
	if len(g.lines) == 0 {
		return
	}
	lines := g.lines
	g.lines = nil
	g.notices.wait(time.Now(), 0) // brings it up to date
	if n := c.noticesOf(lines); n <= noticesTogether && !g.merges {
		g.notices.spend(n)
		for i := range lines {
			l := &lines[i]
			c.showLine(l.user, l.client, l.room, &l.line, "")
		}
		return
	}
	for _, run := range runsOf(lines) {
		if h := c.halls[run.lines[0].room]; h != nil {
			g.notices.spend(h.listeners())
			c.tell(h, &run)
		}
	}
}

// noticesOf is how many it takes to tell lines one by one.
func (c *Chat) noticesOf(lines []gathered) int {
	n := 0
	for i := range lines {
		if h := c.halls[lines[i].room]; h != nil {
			n += h.listeners()
		}
	}
	return n
}
