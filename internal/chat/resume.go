package chat

import "chatapp/internal/chat/state"

// resumption sends clients that return what they have missed. Chat.mu guards it.
type resumption struct {
	*core
	local   *localClients
	lines   *lines
	history *history
	rosters *rosters

	ahead []*client // wait for this instance to apply what they have received elsewhere
	paged []*client // receive what they have missed page by page
}

// replayLocked sends a client what it has missed since a position, in its protocol and without what it knows of itself,
// and makes it listen. It is called before the client listens to anything. u is the user that the client returns to;
// nil: none that is known. A client that is ahead of this instance waits, and receives all that later.
func (re *resumption) replayLocked(cl *client, u *state.User, rooms []string, since state.Position) {
	if len(re.ahead) < maxAhead && re.mustWaitLocked(since) {
		re.waitLocked(cl, rooms, since)
		return
	}
	if re.replayNowLocked(cl, u, rooms, since) {
		re.rosters.emitAllLocked(cl, rooms)
	}
}

// replayNowLocked is replayLocked for a client that does not wait. It reports false if it has sent the first page of
// what the client has missed, and the client is to receive more before it listens.
func (re *resumption) replayNowLocked(cl *client, u *state.User, rooms []string, since state.Position) bool {
	if since.Seq > re.lines.sentLocked().Seq {
		re.lines.flushLocked() // the client has received some of it elsewhere
	}
	var missed []state.MissedLine
	whole := since.Seq <= re.state.Last().Seq
	if whole {
		missed, whole = re.history.missedByLocked(rooms, since, maxReplayBytes)
	}
	if whole {
		if sent := re.emitPageLocked(cl, u, missed); sent > 0 {
			re.pageLocked(cl, rooms, missed[sent-1].Line.Position())
			return false
		}
	}
	for _, room := range rooms {
		if !whole {
			re.history.emitLocked(cl, room, true)
		}
		re.local.listenLocked(cl, room)
	}
	return true
}

// emitAllLocked sends a client what is no line in rooms that it listens to from now on: who is there. Typing is
// refreshed anyway, and everybody receives the status.
func (rs *rosters) emitAllLocked(cl *client, rooms []string) {
	for _, room := range rooms {
		rs.emitLocked(cl, room)
	}
}
