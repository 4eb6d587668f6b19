package chat

import (
	"cmp"
	crand "crypto/rand"
	"encoding/base64"
	"slices"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// client is a socket here, with or without a nickname. There may be tens of thousands, so it is kept small.
type client struct {
	// Immutable.
	socket   *socketio.Socket
	conn     uint64     // its number here, see state.ConnID
	instance state.Hash // the client instance: of the socket's private id; zero: it has none
	born     int64      // when it was connected, in milliseconds since localClients.start
	assigned *assigned  // of a user that a proxy has signed in; nil: nicknames are free to choose

	// Guarded by Chat.mu.
	user     *state.User    // that the log has bound to it; nil: none
	token    state.Hash     // of its user, once it has or had one
	name     state.Nickname // of its user, to claim it again should the log disconnect this instance's users
	claims   claims
	protocol state.Protocol
	ended    bool
	rooms    []string // that it listens to
	ahead    *ahead   // it has received more of the log than this instance has applied; nil: the usual case
	usage    *usage
	typingIn *typingIn // nil: its user is not displayed as typing
}

// claims are those of a client for a nickname.
type claims struct {
	pending   int32          // on their way through the log
	overtaken bool           // see nicknames.overtaken
	requested *requestedName // requested in the 4.x protocol while a claim was pending; nil: none
}

// requestedName is the nickname that a client has requested last, and what waits for the outcome.
type requestedName struct {
	name state.Nickname
	acks acks
}

// acks are of requests with one outcome. Chat.mu guards them.
type acks []socketio.Ack

func (a acks) succeed(c *core) {
	for _, ack := range a {
		c.out.reply(ack, succeeded{true})
	}
}

func (a acks) refuse(c *core, cl *client, name string, code state.Code) {
	for _, ack := range a {
		c.refuseLocked(cl, name, ack, code, 0)
	}
}

// request notes a nickname that is to be claimed once the pending claims are decided.
func (c *claims) request(name state.Nickname, ack socketio.Ack) {
	if c.requested == nil {
		c.requested = &requestedName{}
	}
	c.requested.name = name
	if ack.Wanted() {
		c.requested.acks = append(c.requested.acks, ack)
	}
}

// typingIn is the room in which a client's user is displayed as typing.
type typingIn struct {
	room string
	at   time.Time // when that was last sent
}

// isNamed reports whether the client has a user, or will have one if the log grants the claim that is pending. So it
// does if it had one before a state was restored that doesn't know of that: Joined claims it again.
func (cl *client) isNamed() bool {
	return cl.user != nil || cl.claims.pending > 0 || cl.claims.overtaken || cl.name.Key != ""
}

// mayListen reports whether a client may receive what is said in a room: everybody in the lobby, members elsewhere.
func (cl *client) mayListen(room string) bool {
	return room == state.Lobby || cl.user != nil && slices.Contains(cl.user.Rooms(), room)
}

// account returns what clients share the way to the log by: what identifies them, see identity. A client of which
// nothing is known has an account of its own.
func (cl *client) account() string {
	return cmp.Or(cl.identity(), "socket "+cl.socket.ID())
}

// identity returns the person that is signed in, or else the address, in words that set the two apart: an identity
// provider's id may read like an address. It is "" where neither is known.
func (cl *client) identity() string {
	if cl.assigned != nil {
		return "subject " + cl.assigned.subject
	}
	if address := cl.socket.Handshake().Counted; address != "" {
		return "address " + address
	}
	return ""
}

// socketID returns the public id of the socket; "" for nil.
func (cl *client) socketID() string {
	if cl == nil {
		return ""
	}
	return cl.socket.ID()
}

// newSecret returns a new resume token of 128 random bits.
func newSecret() string {
	var random [16]byte
	_, _ = crand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// isSecret reports whether a token looks like one of newSecret. Others are not accepted: a client that chose one might
// choose one that can be guessed.
func isSecret(token string) bool {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && len(decoded) == 16
}
