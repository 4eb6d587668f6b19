package chat

import (
	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// assignedName returns the nickname of a user that a proxy has signed in; nil if none has. A name that is not legal is
// cut and cleaned rather than refused: the user has not typed it.
func (c *Chat) assignedName(s *socketio.Socket) *state.Nickname {
	if c.options.SignedIn == nil {
		return nil
	}
	typed, limit := c.options.SignedIn(s), c.options.MaxNicknameLength
	name, code := state.ParseNickname(typed, limit)
	if code != state.Accepted {
		name, _ = state.ParseNickname(state.TrimName(typed, limit), limit)
	}
	if name.Key == "" {
		return nil
	}
	return &name
}

// claimAssignedLocked claims the nickname of a user that is signed in. If another window of the user has it, this one
// receives a variant.
func (c *Chat) claimAssignedLocked(cl *client) {
	p := c.newNameClaim(cl, *cl.assigned, newSecret(), state.V09)
	p.claim().Variant = true
	p.event = "nickname"
	if c.appendLocked(p) != nil {
		c.emitSessionLocked(cl, cl.rooms, false, state.Overloaded)
	}
}
