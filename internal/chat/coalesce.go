package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// A line that a user has joined or left is broadcast at once, by itself, while that is cheap. When thousands join or
// leave together, that would cost the square of their number: everybody receives a line about everybody. Then lines
// wait for a moment. Those of some hundreds of users are still sent one by one, as clients of 2017 expect, but they
// leave together, so that each client costs one write; of more users, one announcement names all that joined or left in
// a row (group.go). What a client receives is the same either way, taken line by line: the same users in the same
// order, with the same ids. No other line overtakes those that wait. Until they are sent, clients that connect receive
// the chat as of the last line sent (sentLocked), and then what waits, like everybody else.
//
// The budget counts announcements: one for each client that receives one line about a user.
const (
	announcementsPerSecond = 5000
	announcementsBurst     = announcementsPerSecond / 2
	maxSingly              = 100_000 // announcements sent one by one: 300 users join, or 100 leave 1,000
	maxWaiting             = 10_000  // lines
)

// coalescing holds the lines of users joining and leaving that have not been sent. Chat.mu guards it.
type coalescing struct {
	waiting []waitingLine
	before  state.Position // of the last line ahead of these
	due     time.Time      // when they are sent, unless something else has them sent earlier
	last    state.Position // of the last line applied, sent or not
	waits   []bool         // of the entry being applied: whether the line of a change waits, by the change's index
	budget  announcementBudget
	grouped bool // group lines however few announcements they take
}

// waitingLine is a line that a user has joined or left.
type waitingLine struct {
	room   string
	line   state.Line
	user   *state.User
	client *client // of the user, if it is here
}

// announcementBudget fills with time, up to announcementsBurst. The zero value is full.
type announcementBudget struct {
	spent float64
	at    time.Time // when so much was spent
}

// wait returns the time until n announcements are in the budget, or as many as it can hold.
func (b *announcementBudget) wait(now time.Time, n int) time.Duration {
	b.spent = max(0, b.spent-now.Sub(b.at).Seconds()*announcementsPerSecond)
	b.at = now
	missing := b.spent + float64(min(n, announcementsBurst)) - announcementsBurst
	return time.Duration(max(0, missing) / announcementsPerSecond * float64(time.Second))
}

// spend takes n announcements, on credit if need be, but no more than a second brings in.
func (b *announcementBudget) spend(n int) { b.spent = min(b.spent+float64(n), announcementsPerSecond) }

// coalesceLocked decides which of an entry's changes are sent at once. It keeps the lines of the others and marks them
// in coalescing.waits. It is called before anything of the entry is sent, and reports whether lines have begun to wait.
func (c *Chat) coalesceLocked(changes []state.Change) (begun bool) {
	g := &c.coalescing
	g.waits = slices.Grow(g.waits[:0], len(changes))[:len(changes)]
	clear(g.waits)
	for i := range changes {
		if kind := changes[i].Kind; kind == state.Said || kind == state.Renamed {
			c.flushLocked()
			g.last = c.state.Last()
			return false
		}
	}
	for i := range changes {
		if kind := changes[i].Kind; kind == state.Joined || kind == state.Left {
			begun = c.coalesceLineLocked(i, &changes[i]) || begun
			g.last = changes[i].Line.Position()
		}
	}
	return begun
}

// coalesceLineLocked is coalesceLocked for the i-th change. Once one line waits, so do all behind it.
func (c *Chat) coalesceLineLocked(i int, ch *state.Change) (begun bool) {
	r := c.local.rooms[ch.Room]
	if r == nil {
		return false // it has no listeners
	}
	g, now, listeners := &c.coalescing, time.Now(), r.numListeners()
	if len(g.waiting) == 0 {
		delay := g.budget.wait(now, listeners)
		if delay == 0 {
			g.budget.spend(listeners)
			return false
		}
		g.before, g.due = g.last, now.Add(delay)
		begun = true
		c.timers.Add(g.due, c.flushDueLocked)
	}
	g.waiting = append(g.waiting, waitingLine{ch.Room, ch.Line, ch.User, c.local.at(ch.At)})
	g.waits[i] = true
	if len(g.waiting) == maxWaiting {
		c.flushLocked()
	}
	return begun
}

func (c *Chat) flushDueLocked(now time.Time) {
	if !c.coalescing.due.After(now) {
		c.flushLocked()
	}
}

// sentLocked returns the position up to which clients here have been sent what happened.
func (c *Chat) sentLocked() state.Position {
	if len(c.coalescing.waiting) > 0 {
		return c.coalescing.before
	}
	return c.state.Last()
}

// flushLocked sends the lines that wait.
func (c *Chat) flushLocked() {
	g := &c.coalescing
	if len(g.waiting) == 0 {
		return
	}
	lines := g.waiting
	g.waiting = nil
	g.budget.wait(time.Now(), 0) // brings it up to date
	if n := c.announcementsLocked(lines); n <= maxSingly && !g.grouped {
		g.budget.spend(n)
		for i := range lines {
			l := &lines[i]
			c.broadcastLineLocked(l.user, l.client, l.room, &l.line, nil)
		}
		return
	}
	for _, group := range groupLines(lines) {
		if r := c.local.rooms[group.lines[0].room]; r != nil {
			g.budget.spend(r.numListeners())
			c.broadcastGroupLocked(r, &group)
		}
	}
}

// announcementsLocked returns how many announcements it takes to send lines one by one.
func (c *Chat) announcementsLocked(lines []waitingLine) int {
	n := 0
	for i := range lines {
		if r := c.local.rooms[lines[i].room]; r != nil {
			n += r.numListeners()
		}
	}
	return n
}
