package chat

import (
	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// Person is a user that a proxy has signed in.
type Person struct {
	Name    string // as it is displayed
	Subject string // the identity provider's id of the person, which never changes
}

// assigned is the person that a client is signed in as. The subject identifies it, not the name.
type assigned struct {
	state.Nickname
	subject string
}

// assignedName returns the person that a proxy has signed in; nil if none has. A name that is not legal is cleaned
// rather than refused: the user has not typed it.
func (n *nicknames) assignedName(s *socketio.Socket) *assigned {
	if n.options.SignedIn == nil {
		return nil
	}
	person := n.options.SignedIn(s)
	if person.Subject == "" {
		return nil
	}
	name := state.ParseSignedIn(person.Name)
	if name.Key == "" {
		name = state.ParseSignedIn(person.Subject)
	}
	if name.Key == "" {
		return nil
	}
	return &assigned{name, person.Subject}
}

// takeLocked returns the nickname that a client has when it requests one. It reports false if it may not: a client that
// is signed in has the nickname of its person, whatever its user requests.
func (cl *client) takeLocked(requested state.Nickname) (state.Nickname, bool) {
	switch {
	case cl.assigned == nil:
		return requested, true
	case cl.user != nil:
		return cl.user.Nickname(), requested.Key == cl.user.Nickname().Key || requested.Key == cl.assigned.Key
	}
	return cl.assigned.Nickname, requested.Key == cl.assigned.Key
}

// mayBeLocked reports whether a client may return to a user with an origin: one that is signed in only to its own.
func (n *nicknames) mayBeLocked(cl *client, origin state.Hash) bool {
	return cl.assigned == nil || origin == n.originLocked(cl)
}

// claimAssignedLocked claims the nickname of a user that is signed in. If another window of the user has it, this one
// receives a variant.
func (n *nicknames) claimAssignedLocked(cl *client) {
	p := n.newNameClaim(cl, cl.assigned.Nickname, "", state.V09)
	p.claim().Variant = true
	p.event = "nickname"
	if n.commands.appendLocked(p) != nil {
		n.emitSessionLocked(cl, cl.rooms, false, state.Overloaded)
	}
}
