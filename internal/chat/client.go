package chat

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"chatapp/internal/socketio"
)

// client is a socket here, with or without a name.
type client struct {
	// Immutable.
	socket *socketio.Socket
	conn   uint64    // its session
	page   hash      // of its private id
	born   int64     // when it was connected, Unix milliseconds
	fixed  *nickname // of a person who is signed in; nil: names are free to choose

	// Guarded by Chat.mu.
	user     *user     // that the log has bound to it; nil: none
	claims   int       // claims on their way through the log
	late     bool      // its claim was stale, see Chat.late
	token    hash      // by which its user is known, once it has or had one
	name     nickname  // of its user, kept to claim it again should the log take this instance for gone
	wish     *nickname // asked for in the 4.x vocabulary while a claim was under way; nil: nothing
	dialect  dialect
	rooms    []string // it listens to
	ahead    *ahead   // it has been where the state has not come yet; nil: the usual case
	ended    bool
	messages bucket
	others   bucket
	types    *typist // nil: its user is not shown to be typing
}

// ahead is a client that has got everything up to a position where the state has not come.
type ahead struct {
	after position
	since time.Time // when it began to wait
}

// typist is where, and since when, a client's user is shown to be typing.
type typist struct {
	room string
	at   time.Time // when that was last shown
}

// Of what isn't a message a client may ask this many a second, for each costs an entry or a look at the state.
const (
	requestsPerSecond = 5
	requestsBurst     = 20
)

func (c *Chat) newClient(s *socketio.Socket) *client {
	c.lastConn++
	cl := &client{
		socket: s,
		conn:   c.lastConn,
		born:   time.Now().UnixMilli(),
	}
	if pid := s.PrivateID(); pid != "" {
		cl.page = hashOf(pid)
	}
	c.clients[cl.conn] = cl
	return cl
}

// named reports that the client has a user, or will have if the log grants the claim that is under way.
func (cl *client) named() bool { return cl.user != nil || cl.claims > 0 || cl.late }

// hashOf returns what stands for a secret in the log.
func hashOf(secret string) hash {
	sum := sha256.Sum256([]byte(secret))
	return hash(sum[:len(hash{})])
}

// newSecret makes a resume token: 128 bits.
func newSecret() string {
	var random [16]byte
	_, _ = crand.Read(random[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// isSecret reports that a token looks as those of newSecret do. Others are not taken: a client that chose one might choose badly.
func isSecret(token string) bool {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return err == nil && len(decoded) == 16
}

// claimFor returns the claim of a client for the user whom token names, or is to name.
func (c *Chat) claimFor(cl *client, token hash) command {
	return command{Kind: claimName, Conn: cl.conn, Token: token, Page: cl.page, SID: sidOf(cl.socket), Born: uint64(cl.born),
		Dialect: cl.dialect, Hold: uint64(c.options.NameHold.Milliseconds()), Limit: uint64(c.options.MaxRooms)}
}

func sidOf(s *socketio.Socket) string {
	if id := s.ID(); len(id) <= maxSID {
		return id
	}
	return ""
}

// clientAt returns the client of a session, if it is here.
func (c *Chat) clientAt(at session) *client {
	if at.Instance != c.backplane.Instance {
		return nil
	}
	return c.clients[at.Conn]
}

// hall is a room as far as clients here listen to it. It has a socketio room for each vocabulary.
type hall struct {
	room    string
	classic [1]string // name of the room of those who are told in the vocabulary of 0.9
	modern  [1]string // and in that of 4.x: the lobby only
	here    [2]int    // clients, by dialect
	roster  roster
	history preparedHistory
}

// listen makes a client hear what happens in a room, in its dialect.
func (c *Chat) listen(cl *client, room string) {
	if slices.Contains(cl.rooms, room) {
		return
	}
	h := c.halls[room]
	if h == nil {
		h = &hall{room: room, classic: [1]string{"classic " + room}, modern: [1]string{"modern " + room}}
		c.halls[room] = h
	}
	h.here[cl.dialect]++
	cl.rooms = append(cl.rooms, room)
	cl.socket.Join(h.audience(cl.dialect)...)
}

// ignore ends listen.
func (c *Chat) ignore(cl *client, room string) {
	i := slices.Index(cl.rooms, room)
	if i < 0 {
		return
	}
	cl.rooms = slices.Delete(cl.rooms, i, i+1)
	h := c.halls[room]
	cl.socket.Leave(h.audience(cl.dialect)...)
	h.here[cl.dialect]--
	if h.here == [2]int{} {
		delete(c.halls, room)
	}
}

// listeners is how many clients here are told what happens in the room.
func (h *hall) listeners() int { return h.here[classic] + h.here[modern] }

func (h *hall) audience(d dialect) []string {
	if d == modern {
		return h.modern[:]
	}
	return h.classic[:]
}

// speak changes a client's dialect. That of 4.x knows no rooms but the lobby.
func (c *Chat) speak(cl *client, d dialect) {
	if cl.dialect == d {
		return
	}
	listened := slices.Clone(cl.rooms)
	for _, room := range listened {
		c.ignore(cl, room)
	}
	cl.dialect = d
	for _, room := range listened {
		if d == classic || room == lobby {
			c.listen(cl, room)
		}
	}
}

// settleRooms makes a client listen to the rooms of its user, or to the lobby if it has none. It returns the rooms that it
// did not listen to before.
func (c *Chat) settleRooms(cl *client) (fresh []string) {
	if cl.ahead != nil {
		return nil // catchUp will
	}
	rooms := []string{lobby}
	if cl.user != nil && cl.dialect == classic {
		rooms = cl.user.rooms
	}
	for _, room := range slices.Clone(cl.rooms) {
		if !slices.Contains(rooms, room) {
			c.ignore(cl, room)
		}
	}
	for _, room := range rooms {
		if !slices.Contains(cl.rooms, room) {
			c.listen(cl, room)
			fresh = append(fresh, room)
		}
	}
	return fresh
}

// rebind takes note that a user is on another session: the client who has it, and the one who had.
func (c *Chat) rebind(ch *change) {
	u := ch.user
	if old := c.clientAt(ch.old); old != nil && old.user == u && ch.old != ch.at {
		c.replace(old)
	}
	if cl := c.clientAt(ch.at); cl != nil {
		cl.user, cl.token = u, u.token
		c.notLate(cl)
	}
}

// replace ends a client whose user has come back elsewhere.
func (c *Chat) replace(cl *client) {
	cl.user, cl.name, cl.ended = nil, nickname{}, true
	c.notLate(cl)
	c.emit(cl, "replaced", struct {
		Message string `json:"message"`
	}{"You have come back in another window."})
	c.ending = append(c.ending, cl.socket)
}
