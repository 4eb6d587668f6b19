package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
)

// ahead is a client that has received the log up to a position which this instance has not reached, or that
// receives what it has missed in pages. As long as it waits, the client listens to nothing, and is sent nothing
// else that carries an offset.
type ahead struct {
	after   state.Position
	since   time.Time // when the client began to wait
	rooms   []string  // whose lines it has up to there
	effects uint64    // of the outbox, with which the last page is sent
}

// Not too many clients may wait for this instance to catch up, and none for long: the log may have lost what they have
// received.
const (
	maxAhead        = 1000
	maxAheadWait    = 10 * time.Second
	checkAheadEvery = 250 * time.Millisecond
)

// isAloneLocked reports whether this instance is in sync and the only one. Then no instance has more of the log, and a
// position ahead of the state belongs to a log that is lost.
func (re *resumption) isAloneLocked() bool {
	cluster := re.backplane.Cluster()
	return cluster.Ready && !slices.ContainsFunc(cluster.Instances, func(i Instance) bool { return !i.Self })
}

// mustWaitLocked reports whether a client that has received everything up to a position has to wait: the log may still
// bring this instance there. An instance that is not in sync does not know yet which log it is going to have.
func (re *resumption) mustWaitLocked(p state.Position) bool {
	if re.state.Ahead(p) {
		return !re.isAloneLocked()
	}
	return !re.backplane.Cluster().Ready && !re.state.Verify(p)
}

// waitLocked makes a client wait for this instance to reach a position.
func (re *resumption) waitLocked(cl *client, rooms []string, after state.Position) {
	now := time.Now()
	if len(re.ahead) == 0 {
		re.timers.Add(now.Add(checkAheadEvery), re.checkAheadLocked)
	}
	cl.ahead = &ahead{after: after, since: now, rooms: rooms}
	re.ahead = append(re.ahead, cl)
}

// catchUpLocked resumes the clients that were ahead of this instance and no longer are. As long as the instance is not
// in sync, its state may be one of an earlier time, which is only loaded: then they go on waiting.
func (re *resumption) catchUpLocked() {
	if len(re.ahead) > 0 && re.backplane.Cluster().Ready {
		re.resumeWaitingLocked(func(a *ahead) bool { return re.state.Ahead(a.after) })
	}
}

// checkAheadLocked gives the history that this instance has to the clients that have waited for too long, or to all
// that wait if the instance is alone by now.
func (re *resumption) checkAheadLocked(now time.Time) {
	alone, ready := re.isAloneLocked(), re.backplane.Cluster().Ready
	re.resumeWaitingLocked(func(a *ahead) bool {
		return !alone && now.Sub(a.since) < maxAheadWait && (!ready || re.state.Ahead(a.after))
	})
	if len(re.ahead) > 0 {
		re.timers.Add(now.Add(checkAheadEvery), re.checkAheadLocked)
	}
}

// resumeWaitingLocked resumes the clients that wait, except those for which waits returns true.
func (re *resumption) resumeWaitingLocked(waits func(*ahead) bool) {
	all := re.ahead
	re.ahead = nil
	var waiting []*client
	for _, cl := range all {
		switch {
		case cl.ended, cl.ahead == nil:
		case waits(cl.ahead):
			waiting = append(waiting, cl)
		default:
			re.stopWaitingLocked(cl)
		}
	}
	re.ahead = waiting
}

// stopWaitingLocked sends a client what it has missed while it waited: the lines of the rooms that it had, the history
// of rooms that it has entered meanwhile, and who is there. It may send a page of those lines alone, and have the
// client wait again.
func (re *resumption) stopWaitingLocked(cl *client) {
	had, since := cl.ahead.rooms, cl.ahead.after
	cl.ahead = nil
	var known, entered []string
	for _, room := range re.roomsOfLocked(cl) {
		if slices.Contains(had, room) {
			known = append(known, room)
		} else {
			entered = append(entered, room)
		}
	}
	if !re.replayNowLocked(cl, re.state.UserByToken(cl.token), known, since) {
		return
	}
	for _, room := range entered {
		re.history.emitLocked(cl, room, false)
		re.local.listenLocked(cl, room)
	}
	re.rosters.emitAllLocked(cl, cl.rooms)
}

// roomsOfLocked returns the rooms of the user that a client has, or returns to.
func (re *resumption) roomsOfLocked(cl *client) []string {
	u := cl.user
	if u == nil && re.local.returning[cl.token] == cl {
		u = re.state.UserByToken(cl.token)
	}
	if u != nil && cl.protocol == state.V09 && len(u.Rooms()) > 0 {
		return u.Rooms()
	}
	return []string{state.Lobby}
}
