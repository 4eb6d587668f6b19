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

// lines sends clients here the lines that the log leads to: each at once, or coalesced. Chat.mu guards it.
type lines struct {
	*core
	local *localClients

	waiting []waitingLine  // lines of users joining and leaving that have not been sent
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
// in lines.waits. It is called before anything of the entry is sent, and reports whether lines have begun to wait.
func (ls *lines) coalesceLocked(changes []state.Change) (begun bool) {
	ls.waits = slices.Grow(ls.waits[:0], len(changes))[:len(changes)]
	clear(ls.waits)
	for i := range changes {
		if kind := changes[i].Kind; kind == state.Said || kind == state.Renamed {
			ls.flushLocked()
			ls.last = ls.state.Last()
			return false
		}
	}
	for i := range changes {
		if kind := changes[i].Kind; kind == state.Joined || kind == state.Left {
			begun = ls.coalesceLineLocked(i, &changes[i]) || begun
			ls.last = changes[i].Line.Position()
		}
	}
	return begun
}

// coalesceLineLocked is coalesceLocked for the i-th change. Once one line waits, so do all behind it.
func (ls *lines) coalesceLineLocked(i int, ch *state.Change) (begun bool) {
	r := ls.local.rooms[ch.Room]
	if r == nil {
		return false // it has no listeners
	}
	now, listeners := time.Now(), r.numListeners()
	if len(ls.waiting) == 0 {
		delay := ls.budget.wait(now, listeners)
		if delay == 0 {
			ls.budget.spend(listeners)
			return false
		}
		ls.before, ls.due = ls.last, now.Add(delay)
		begun = true
		ls.timers.Add(ls.due, ls.flushDueLocked)
	}
	ls.waiting = append(ls.waiting, waitingLine{ch.Room, ch.Line, ch.User, ls.local.at(ch.At)})
	ls.waits[i] = true
	if len(ls.waiting) == maxWaiting {
		ls.flushLocked()
	}
	return begun
}

func (ls *lines) flushDueLocked(now time.Time) {
	if !ls.due.After(now) {
		ls.flushLocked()
	}
}

// sentLocked returns the position up to which clients here have been sent what happened.
func (ls *lines) sentLocked() state.Position {
	if len(ls.waiting) > 0 {
		return ls.before
	}
	return ls.state.Last()
}

// flushLocked sends the lines that wait.
func (ls *lines) flushLocked() {
	if len(ls.waiting) == 0 {
		return
	}
	lines := ls.waiting
	ls.waiting = nil
	ls.budget.wait(time.Now(), 0) // brings it up to date
	if n := ls.announcementsLocked(lines); n <= maxSingly && !ls.grouped {
		ls.budget.spend(n)
		for i := range lines {
			l := &lines[i]
			ls.broadcastLocked(l.user, l.client, l.room, &l.line, nil)
		}
		return
	}
	for _, group := range groupLines(lines) {
		if r := ls.local.rooms[group.lines[0].room]; r != nil {
			ls.budget.spend(r.numListeners())
			ls.broadcastGroupLocked(r, &group)
		}
	}
}

// announcementsLocked returns how many announcements it takes to send lines one by one.
func (ls *lines) announcementsLocked(lines []waitingLine) int {
	n := 0
	for i := range lines {
		if r := ls.local.rooms[lines[i].room]; r != nil {
			n += r.numListeners()
		}
	}
	return n
}
