package chat

import (
	"cmp"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
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
	former   state.Hash     // the client instance that it says it was and this instance did not know; zero: none
	user     *state.User    // that the log has bound to it; nil: none
	token    state.Hash     // of its user, once it has or had one
	name     state.Nickname // of its user, to claim it again should the log disconnect this instance's users
	claims   claims
	protocol state.Protocol
	ended    bool
	left     uint8    // how often it has left the chat on this socket, see nicknames.secretLocked
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

// secretLocked returns the resume token for a claim of a client that has sent none. variant says that the claim must
// not be refused, as that of a known user was by earlier rules.
//
// The client may have claimed at another instance, of which nothing has been heard yet, and may have lost the
// connection before it received a token. So the token follows from what the client presents here as it did there, the
// root of its private id: both claims are then of one user, and a message that the client sends again is one message.
// Nobody else knows the root, and the token of a person that is signed in is of use to that person alone.
//
// A user that has left is over, and so is one that is forgotten: what the client says next is somebody else's. Then
// two instances may make different tokens, which Move provides for.
func (n *nicknames) secretLocked(cl *client, variant bool) string {
	root, subject := cl.socket.PrivateRoot(), ""
	if root == "" || variant && n.state.Rules() < state.MoveSince {
		return newSecret()
	}
	if cl.assigned != nil {
		subject = cl.assigned.subject
	}
	for number := int(cl.left); number < math.MaxUint8; number++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "resume token %d of %s %q", number, root, subject))
		secret := base64.RawURLEncoding.EncodeToString(sum[:16])
		if token := state.HashOf(secret); !n.state.IsOver(token) {
			return secret
		}
	}
	return newSecret()
}

// endUser notes that the client's user ends: its next one has another resume token.
func (cl *client) endUser() {
	cl.former = state.Hash{}
	if cl.left < math.MaxUint8 {
		cl.left++
	}
}

// isSecret reports whether a token looks like one of newSecret. Others are not accepted: a client that chose one might
// choose one that can be guessed.
func isSecret(token string) bool {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && len(decoded) == 16
}
