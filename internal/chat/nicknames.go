package chat

import "chatapp/internal/chat/state"

// nicknames binds clients to users: it claims nicknames in the log, and tells clients which they have. Chat.mu guards
// it.
type nicknames struct {
	*core
	local      *localClients
	lines      *lines
	history    *history
	rosters    *rosters
	commands   *commands
	resumption *resumption

	overtaken map[state.Hash]*client // by token: the user is on a socket that was connected later
}

func (n *nicknames) onNickname(r *request) {
	name, ok := n.nicknameArgument(r)
	if !ok {
		return
	}
	var options struct {
		Token string `json:"token"`
	}
	if !n.optionsArgument(r, 1, &options) {
		return
	}
	n.mu.Lock()
	defer n.unlock()
	if !n.local.allowLocked(r, n.local.takeRequest) {
		return
	}
	if name, ok = r.client.takeLocked(name); !ok {
		n.refuseRequestLocked(r, state.NameFixed, 0)
		return
	}
	n.claimLocked(r, name, options.Token, state.V09)
}

// claimLocked claims a nickname for a client: another one, if the client has one. secret is the resume token that the
// client sends, or "".
func (n *nicknames) claimLocked(r *request, name state.Nickname, secret string, p state.Protocol) {
	if r.client.user != nil {
		n.commands.requestLocked(r, &state.Rename{Name: name.Name, Key: name.Key})
		return
	}
	if !isSecret(secret) || n.state.IsForgotten(state.HashOf(secret)) {
		secret = ""
	}
	if u := n.state.UserByToken(state.HashOf(secret)); u != nil && !n.mayBeLocked(r.client, u.Origin()) {
		secret = "" // the token is that of another person
	}
	claim := n.newNameClaim(r.client, name, secret, p)
	n.suspectLocked(n.state.UserByToken(claim.claim().Token))
	n.commands.appendRequestLocked(r, claim)
}

func (n *nicknames) onRename(r *request) {
	n.mu.Lock()
	named := r.client.isNamed()
	n.mu.Unlock()
	if !named {
		n.refuse(r, state.NoName)
		return
	}
	n.onNickname(r)
}

// onAddUser claims a nickname in the 4.x protocol. Its clients can't be refused one, so they receive a variant. The
// page sends it again after every reconnection, also when its user was recovered.
func (n *nicknames) onAddUser(r *request) {
	name, ok := n.nicknameArgument(r)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.unlock()
	if !n.local.allowLocked(r, n.local.takeRequest) {
		return
	}
	if r.client.assigned != nil {
		name = r.client.assigned.Nickname
	}
	switch {
	case r.client.user != nil:
		n.local.setProtocolLocked(r.client, state.V4)
		n.emitLoginLocked(r.client, "")
		n.out.reply(r.ack, succeeded{true})
	case r.client.claims.pending > 0:
		r.client.claims.request(name, r.ack)
	default:
		n.claimLocked(r, name, "", state.V4)
	}
}

// nicknameArgument returns the nickname that the first argument is, or refuses the request.
func (c *core) nicknameArgument(r *request) (state.Nickname, bool) {
	typed, ok := r.String(0)
	if !ok {
		c.refuse(r, state.BadArgument)
		return state.Nickname{}, false
	}
	name, code := state.ParseNickname(typed, c.options.MaxNicknameLength)
	if code != state.Accepted {
		c.refuse(r, code)
	}
	return name, code == state.Accepted
}
