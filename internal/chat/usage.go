package chat

import (
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
	"chatapp/internal/tokenbucket"
)

// What a client may use is counted three times: by its connection, by its user and by its address. A client renews
// none of these counts: it can leave the namespace and join it again, come back as the same user by another connection,
// or come as many users by many connections. The counts of addresses belong to the transport, which shares them.

// Limits of what a connection or user may request other than messages, since each request costs an entry or a look at
// the state, and of the rooms that a user may make.
const (
	requestsPerSecond = 5
	requestsBurst     = 20
	roomsPerSecond    = 0.2
	roomsBurst        = 20
)

func clientLimitsOf(messageRate float64) allowance.Limits {
	return allowance.Limits{
		allowance.Messages: tokenbucket.NewLimit(messageRate, 2*messageRate),
		allowance.Requests: tokenbucket.NewLimit(requestsPerSecond, requestsBurst),
		allowance.Rooms:    tokenbucket.NewLimit(roomsPerSecond, roomsBurst),
	}
}

// usage is what a connection has used. Chat.mu guards it.
type usage struct {
	messages, requests, rooms tokenbucket.Bucket

	account state.Hash // key of the user that the connection was last used by; zero: none

	reads int32 // of the store, under way
}

// usageOf returns the usage of a socket's connection, which earlier sockets of the same connection have shared.
func usageOf(s *socketio.Socket) *usage {
	u, ok := s.ConnectionData().(*usage)
	if !ok {
		u = &usage{}
		s.SetConnectionData(u)
	}
	return u
}

func (u *usage) bucket(k allowance.Kind) *tokenbucket.Bucket {
	switch k {
	case allowance.Messages:
		return &u.messages
	case allowance.Rooms:
		return &u.rooms
	}
	return &u.requests
}

// accountOf returns the key of the account of the user that the connection was last used by; nil: none. Accounts are
// not kept open, because most users do nothing most of the time.
func (u *usage) accountOf(cl *client) []byte {
	switch {
	case cl.user == nil:
	case cl.assigned != nil: // all windows of one person share an account
		u.account = cl.user.Origin()
	default:
		u.account = cl.user.Token()
	}
	if u.account == (state.Hash{}) {
		return nil
	}
	return u.account[:]
}

// take takes one of a kind from what the client's connection and user may use, and n of it from what its address may.
// If one of them has too little it takes nothing from any, so that a client whose address is busy keeps what is its
// own, and returns how long to wait.
func (l *localClients) take(cl *client, k allowance.Kind, n float64) (wait time.Duration, ok bool) {
	connection, user := cl.usage.bucket(k), cl.usage.accountOf(cl)
	wait, byConnection := connection.Take(l.limits[k], time.Since(l.start))
	userWait, byUser := l.users.TakeBytes(user, k)
	wait = max(wait, userWait)
	ok = byConnection && byUser
	if ok {
		wait, ok = cl.socket.TakeAllowance(k, n)
	}
	if ok {
		return 0, true
	}
	if byConnection {
		connection.PutBack(1)
	}
	if byUser {
		l.users.PutBackBytes(user, k)
	}
	return wait, false
}

// takeRequest takes a request from what a client may use, or returns how long to wait.
func (l *localClients) takeRequest(cl *client) (wait time.Duration, ok bool) {
	return l.take(cl, allowance.Requests, 1)
}

// takeMessage returns a function that takes a message from what a client may use, or returns how long to wait. Of what
// its address may say a message takes one for each KiB that it begins, because everybody in the room is sent all of it.
func (l *localClients) takeMessage(text string) func(*client) (wait time.Duration, ok bool) {
	return func(cl *client) (wait time.Duration, ok bool) {
		return l.take(cl, allowance.Messages, float64((len(text)+1023)/1024))
	}
}

// allowLocked reports whether a request is within the client's budget and the chat is not closed. If not, it refuses
// the request.
func (l *localClients) allowLocked(r *request, take func(*client) (time.Duration, bool)) bool {
	if l.closed {
		l.refuseRequestLocked(r, state.Unavailable, 0)
		return false
	}
	wait, ok := take(r.client)
	if !ok {
		l.refuseRequestLocked(r, state.TooFast, wait)
	}
	return ok
}

// allowNamedLocked is allowLocked for a request that takes a nickname.
func (l *localClients) allowNamedLocked(r *request) bool {
	if !l.allowLocked(r, l.takeRequest) {
		return false
	}
	if !r.client.isNamed() {
		l.refuseRequestLocked(r, state.NoName, 0)
		return false
	}
	return true
}

// allowRoomLocked reports whether a client may join a room: one that does not exist, only if it may make another.
func (l *localClients) allowRoomLocked(r *request, room string) bool {
	if l.state.Room(room) != nil {
		return true
	}
	wait, ok := l.take(r.client, allowance.Rooms, 1)
	if !ok {
		l.refuseRequestLocked(r, state.TooFast, wait)
	}
	return ok
}
