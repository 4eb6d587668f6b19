package chat

import (
	"time"

	"chatapp/internal/chat/state"
)

// A message that is slow to come back from the log is sent to clients here as a provisional line. Each is resolved
// later: by its real line, which may come from another instance if the client has sent the message again there, or in a
// snapshot; or it is withdrawn when the command is back, because the log has refused the message or had it before.

// messageID names a message of a user, however often it is sent.
type messageID struct {
	token state.Hash // of the user
	cid   string
}

// provisionalLine is a message that clients here have been sent and that is not resolved.
type provisionalLine struct {
	id         messageID
	from, room string
	sayer      *client // was not sent it; another connection of the user may have been
}

// Provisional sends a message of this instance, which is slow to come back from the log, to its other users.
func (c *Chat) Provisional(body []byte) {
	command, err := state.DecodeCommand(body)
	if err != nil {
		return
	}
	say, isMessage := command.Action.(*state.Say)
	if !isMessage {
		return
	}
	c.mu.Lock()
	defer c.unlock()
	p := c.commands.pending[command.Ref]
	if p == nil || p.client.user == nil {
		return
	}
	id := messageID{p.client.user.Token(), say.CID}
	if _, said := c.state.SaidAt(id.token, id.cid); said || c.commands.provisional[id] != nil {
		return // it is displayed: the client has sent it again
	}
	r := c.local.rooms[say.Room]
	if r == nil || r.listeners[state.V09] == 0 || !p.client.mayListen(say.Room) {
		return
	}
	name := p.client.user.Nickname().Name
	p.provisional = &provisionalLine{id, name, say.Room, p.client}
	c.commands.provisional[id] = p.provisional
	c.counts.provisional++
	c.out.broadcast(r.sockets[state.V09], event{"provisional", []any{name, say.Text, struct {
		Key  string `json:"key"`
		Room string `json:"room"`
		Time int64  `json:"time"`
	}{say.CID, say.Room, c.backplane.Time().Add(-time.Since(p.appended)).UnixMilli()}}}, p.client, nil)
}

// confirm returns the provisional line that the line of u replaces, which is resolved then; nil if there is none. u is
// nil if the user has left for good.
func (q *commands) confirm(u *state.User, l *state.Line) *provisionalLine {
	if l.Kind != state.MessageLine {
		return nil
	}
	for id, p := range q.provisional { // few, if any
		if id.cid == l.CID && (u != nil && id.token == u.Token() || u == nil && p.from == l.From) {
			delete(q.provisional, id)
			return p
		}
	}
	return nil
}

// withdrawLocked withdraws the provisional line of a command that is back from the log, unless the real line has
// replaced it.
func (c *Chat) withdrawLocked(p *pendingCommand) {
	if p == nil || p.provisional == nil || c.commands.provisional[p.provisional.id] != p.provisional {
		return
	}
	delete(c.commands.provisional, p.provisional.id)
	if r := c.local.rooms[p.provisional.room]; r != nil && r.listeners[state.V09] > 0 {
		c.out.broadcast(r.sockets[state.V09], event{"withdrawn", []any{struct {
			Key  string `json:"key"`
			Room string `json:"room"`
		}{p.provisional.id.cid, p.provisional.room}}}, p.client, nil)
	}
}
