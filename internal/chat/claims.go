package chat

import (
	"slices"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// granted is the reply to a client that has its nickname.
type granted struct {
	OK    bool     `json:"ok"`
	Name  string   `json:"name"`
	Token string   `json:"token,omitempty"`
	Room  string   `json:"room"`
	Rooms []string `json:"rooms"`
}

func newGranted(u *state.User, secret string) granted {
	return granted{OK: true, Name: u.Nickname().Name, Token: secret, Room: state.Lobby, Rooms: slices.Clone(u.Rooms())}
}

// newClaim returns the claim of a client for the user whose token has this hash, or is to have it.
func (n *nicknames) newClaim(cl *client, token state.Hash) *state.Claim {
	return &state.Claim{Token: token, Client: cl.instance, SID: sidOf(cl.socket), Born: n.bornAt(cl),
		Protocol: cl.protocol, HoldMillis: uint64(n.options.NameHold.Milliseconds()),
		RoomLimit: uint64(n.options.MaxRooms), Origin: n.originLocked(cl)}
}

// originLocked returns what the client's user shares rooms and history by with others: the person that is signed in, or
// else the address; zero if neither is known.
func (n *nicknames) originLocked(cl *client) state.Hash {
	if identity := cl.identity(); identity != "" {
		return n.state.OriginOf(identity)
	}
	return state.Hash{}
}

// bornAt returns when a client was connected, by the bus's clock: the claims of sockets on two instances are compared
// by it.
func (n *nicknames) bornAt(cl *client) uint64 {
	age := time.Since(n.local.start) - time.Duration(cl.born)*time.Millisecond
	return uint64(max(n.backplane.Time().Add(-age).UnixMilli(), 0))
}

func sidOf(s *socketio.Socket) string {
	if id := s.ID(); len(id) <= state.MaxSID {
		return id
	}
	return ""
}

// newNameClaim returns the claim of a nickname that a client requests. One of the 4.x protocol can't be refused a
// nickname, so it accepts a variant. secret is the resume token that the client has sent; "": none.
func (n *nicknames) newNameClaim(cl *client, name state.Nickname, secret string, p state.Protocol) *pendingCommand {
	moved := secret == "" && cl.former != state.Hash{} && n.state.Rules() >= state.MoveSince
	if secret == "" {
		secret = n.secretLocked(cl, p == state.V4 || cl.assigned != nil)
	}
	claim := n.newClaim(cl, state.HashOf(secret))
	claim.Name, claim.Key = name.Name, name.Key
	claim.Protocol, claim.Variant = p, p == state.V4
	var action state.Action = claim
	if moved {
		action = &state.Move{Claim: *claim, Former: cl.former, OfOrigin: cl.assigned != nil}
	}
	return &pendingCommand{command: state.Command{Action: action}, client: cl, secret: secret}
}

// newResumingClaim returns a claim that the client has not requested.
func newResumingClaim(cl *client, claim *state.Claim) *pendingCommand {
	return &pendingCommand{command: state.Command{Action: claim}, client: cl, resumes: true}
}

// newReclaim returns the claim of the nickname that a client had before the log lost its user.
func (n *nicknames) newReclaim(cl *client) *pendingCommand {
	claim := n.newClaim(cl, cl.token)
	claim.Rooms = slices.DeleteFunc(slices.Clone(cl.rooms), func(room string) bool { return room == state.Lobby })
	if n.state.UserByToken(cl.token) == nil {
		claim.Name, claim.Key = cl.name.Name, cl.name.Key
	}
	return newResumingClaim(cl, claim)
}

// reclaimLocked claims the nickname of a client that the log has lost the user of, and whose request of another
// nickname was refused. Joined has left it out, because that request was pending.
func (n *nicknames) reclaimLocked(cl *client) {
	if cl.user != nil || cl.ended || cl.name.Key == "" || cl.claims.pending > 0 || cl.claims.overtaken {
		return
	}
	if n.commands.appendLocked(n.newReclaim(cl)) != nil {
		n.loseLocked(cl, state.Overloaded)
	}
}

// loseLocked tells a client that it has no nickname any more, and why.
func (n *nicknames) loseLocked(cl *client, code state.Code) {
	cl.name = state.Nickname{}
	n.local.syncRoomsLocked(cl)
	n.emitSessionLocked(cl, cl.rooms, false, code)
}

// suspectLocked asks after the instance that a user is connected to by the log, now that the user has turned up here.
func (n *nicknames) suspectLocked(u *state.User) {
	if u != nil && u.Status() == state.Connected && u.Conn().Instance != n.local.instance {
		n.backplane.Suspect(u.Conn().Instance)
	}
}

// replyLocked tells a client whether it has a nickname.
func (n *nicknames) replyLocked(p *pendingCommand, claim *state.Claim, o state.Outcome) {
	cl := p.client
	requested := cl.claims.requested
	cl.claims.requested = nil
	n.local.returned(cl)
	switch {
	case o.Stale:
		n.replyToOvertakenLocked(p, claim, o.User)
	case o.Code == state.Accepted:
		n.counts.claims++
		n.options.Audit("claim", cl.socket.Handshake().RemoteAddr, o.User.Nickname().Name)
		if p.resumes {
			n.counts.returns++
		}
		n.grantLocked(p, claim, o.User, requested != nil)
	default:
		n.refuseClaimLocked(p, requested, o.Code)
		return
	}
	p.others.succeed(n.core)
	if requested != nil {
		requested.acks.succeed(n.core)
	}
}

// refuseClaimLocked ends a claim that the log has refused. The nickname that the client has requested since, if any, is
// claimed next.
func (n *nicknames) refuseClaimLocked(p *pendingCommand, requested *requestedName, code state.Code) {
	cl := p.client
	claims := requested != nil && n.claimRequestedLocked(cl, requested)
	if !p.resumes {
		n.refuseLocked(cl, p.event, p.ack, code, 0)
		p.others.refuse(n.core, cl, p.event, code)
		n.reclaimLocked(cl)
	} else if !claims { // else it is not the user that it was, but will be the one that it requests
		n.counts.refusals[state.NameLost]++
		n.loseLocked(cl, state.NameLost)
	}
}

// claimRequestedLocked claims the nickname that a client has requested while an earlier claim was pending. It reports
// false, and tells the client, if the log takes no entry.
func (n *nicknames) claimRequestedLocked(cl *client, requested *requestedName) bool {
	p := n.newNameClaim(cl, requested.name, "", state.V4)
	p.event, p.others = "add user", requested.acks
	if len(p.others) > 0 {
		p.ack, p.others = p.others[0], p.others[1:]
	}
	if n.commands.appendLocked(p) != nil {
		n.refuseLocked(cl, p.event, p.ack, state.Overloaded, 0)
		p.others.refuse(n.core, cl, p.event, state.Overloaded)
		return false
	}
	return true
}

// grantLocked gives a client its user. requested says that it has requested a nickname while one was claimed for it.
func (n *nicknames) grantLocked(p *pendingCommand, claim *state.Claim, u *state.User, requested bool) {
	cl := p.client
	cl.user, cl.token, cl.name = u, u.Token(), u.Nickname()
	secret := p.secret
	if u.Token() != claim.Token {
		secret = "" // it had a nickname already, which the claim has changed
	}
	protocol := claim.Protocol
	if requested {
		protocol = state.V4 // the only one in which a client may request a nickname then
	}
	n.local.setProtocolLocked(cl, protocol)
	added := n.local.syncRoomsLocked(cl)
	if cl.protocol == state.V4 {
		if !p.resumes || requested {
			n.emitLoginLocked(cl, secret)
		}
		n.replyGrantedLocked(p, u, secret)
		return
	}
	n.replyGrantedLocked(p, u, secret)
	for _, room := range added {
		n.history.emitLocked(cl, room, true)
		if p.resumes {
			n.rosters.emitLocked(cl, room)
		}
	}
	if !p.resumes && cl.ahead == nil {
		n.rosters.joiners = append(n.rosters.joiners, cl)
	}
	if cl.assigned == nil {
		secret = "" // the reply has it
	}
	n.emitSessionTokenLocked(cl, u.Rooms(), cl.socket.Recovered(), state.Accepted, secret)
}

// replyGrantedLocked replies to the request by which a client has got its nickname. secret is the resume token, or "".
func (n *nicknames) replyGrantedLocked(p *pendingCommand, u *state.User, secret string) {
	if p.event == "add user" {
		n.out.reply(p.ack, succeeded{true}) // "login" has said the rest
		return
	}
	n.out.reply(p.ack, false, newGranted(u, secret))
}

// A claim may be overtaken by the claim of a socket that was connected later: its instance was cut off, for example,
// while the client went on to another. Mostly the socket that claimed is gone by then. If it is not, either the client
// has abandoned it, and it ends as if the claims had come in their order; or the clocks of two instances differ a
// little, and the client is on this one. Then it claims again as soon as the other socket is gone.

// maxSkew is how much the times that two instances take for that of the bus may differ.
const maxSkew = 5 * time.Second

// replyToOvertakenLocked ends a client whose claim was overtaken, or makes it wait for the other socket to end.
func (n *nicknames) replyToOvertakenLocked(p *pendingCommand, claim *state.Claim, u *state.User) {
	cl := p.client
	if cl.ended {
		return
	}
	if u.ConnBorn()-claim.Born > uint64(maxSkew.Milliseconds()) {
		n.replaceLocked(cl)
		return
	}
	cl.token, cl.name, cl.claims.overtaken = u.Token(), u.Nickname(), true
	n.overtaken[u.Token()] = cl
	if !p.resumes {
		n.replyGrantedLocked(p, u, p.secret)
	}
}

// forgetOvertaken ends the wait of a client whose claim was overtaken.
func (n *nicknames) forgetOvertaken(cl *client) {
	if !cl.claims.overtaken {
		return
	}
	cl.claims.overtaken = false
	if n.overtaken[cl.token] == cl {
		delete(n.overtaken, cl.token)
	}
}

// claimOvertakenLocked claims a user that is away or gone for the client here whose claim was overtaken.
func (n *nicknames) claimOvertakenLocked(u *state.User) {
	cl := n.overtaken[u.Token()]
	if cl == nil {
		return
	}
	n.forgetOvertaken(cl)
	claim := n.newClaim(cl, cl.token)
	claim.Name, claim.Key, claim.Rooms = cl.name.Name, cl.name.Key, slices.Clone(u.Rooms())
	if err := n.commands.appendLocked(newResumingClaim(cl, claim)); err != nil {
		n.emitSessionLocked(cl, cl.rooms, false, state.Overloaded)
	}
}

// bindLocked notes which clients here have got, or lost, their users to other sockets by an entry.
func (n *nicknames) bindLocked(changes []state.Change) {
	for i := range changes {
		ch := &changes[i]
		if ch.Kind != state.Bound {
			continue
		}
		if old := n.local.at(ch.Old); old != nil && old.user == ch.User && ch.Old != ch.At {
			n.replaceLocked(old)
		}
		if cl := n.local.at(ch.At); cl != nil {
			n.forgetOvertaken(cl)
			cl.user, cl.token = ch.User, ch.User.Token()
		}
	}
}

// replaceLocked ends a client whose user has returned by another socket.
func (n *nicknames) replaceLocked(cl *client) {
	n.forgetOvertaken(cl)
	cl.user, cl.name, cl.ended = nil, state.Nickname{}, true
	n.out.emit(cl, "replaced", struct {
		Message string `json:"message"`
	}{"You have come back in another window."})
	n.out.disconnect(cl)
}
