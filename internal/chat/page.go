package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// What a client has missed may be more than its queue should hold at once. The client receives it page by page, the
// next one when it has taken the last. Until it has all, it listens to nothing, as if it were ahead of this instance:
// so lines reach it in order, and its offset never passes a line that it lacks.

// pageEvery is how often clients are looked at that receive pages.
const pageEvery = 20 * time.Millisecond

// emitPageLocked sends a client lines that it has missed: all, for which it returns 0, or as many as fit a page, whose
// number it returns.
func (re *resumption) emitPageLocked(cl *client, u *state.User, missed []state.MissedLine) (sent int) {
	fit := max(firstThatFit(missed, maxPageBytes), 1)
	for i := range missed {
		switch {
		case missed[i].Line.Seq > re.lines.sentLocked().Seq:
			return 0 // it is broadcast later, as all that follow
		case i == fit:
			return fit
		}
		re.lines.emitLocked(cl, u, missed[i].Room, &missed[i].Line)
	}
	return 0
}

// pageLocked has a client receive more of what it has missed once it has taken what was sent to it: the lines of some
// rooms up to a position.
func (re *resumption) pageLocked(cl *client, rooms []string, sent state.Position) {
	now := time.Now()
	if len(re.paged) == 0 {
		re.timers.Add(now.Add(pageEvery), re.sendPagesLocked)
	}
	cl.ahead = &ahead{after: sent, since: now, rooms: rooms, effects: re.out.end()}
	re.paged = append(re.paged, cl)
}

// sendPagesLocked sends the next page to all clients that have taken the last.
func (re *resumption) sendPagesLocked(now time.Time) {
	all := re.paged
	re.paged = nil
	var waiting []*client
	for _, cl := range all {
		switch {
		case cl.ended, cl.ahead == nil:
		case re.out.performedUpTo(cl.ahead.effects) && cl.socket.Drained():
			re.stopWaitingLocked(cl)
		default:
			waiting = append(waiting, cl)
		}
	}
	if len(waiting) > 0 && len(re.paged) == 0 {
		re.timers.Add(now.Add(pageEvery), re.sendPagesLocked)
	}
	re.paged = append(waiting, re.paged...)
}
