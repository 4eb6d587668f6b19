package chat

import "chatapp/internal/chat/state"

// Provisional sends a message of this instance, which is slow to come back from the log, to its other users. The real
// one follows and replaces it.
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
	p.provisional = true
	c.counts.provisional++
	c.broadcastProvisionalLocked(p, say)
}

func (c *Chat) broadcastProvisionalLocked(p *pendingCommand, say *state.Say) {
	r := c.local.rooms[say.Room]
	if r == nil || r.listeners[state.V09] == 0 || !p.client.mayListen(say.Room) {
		return
	}
	name := p.client.user.Nickname().Name
	c.out.broadcast(r.sockets[state.V09], event{"provisional", []any{name, say.Text, struct {
		Key  string `json:"key"`
		Room string `json:"room"`
		Time int64  `json:"time"`
	}{say.CID, say.Room, p.appended.UnixMilli()}}}, p.client, nil)
}

// provisionalKeys returns the keys of the messages that clients have received provisionally.
func (q *commands) provisionalKeys() map[string]bool {
	keys := make(map[string]bool)
	for _, p := range q.pending {
		if say, ok := p.command.Action.(*state.Say); ok && p.provisional {
			keys[say.CID] = true
		}
	}
	return keys
}
