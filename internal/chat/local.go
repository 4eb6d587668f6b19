package chat

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
)

// localClients are the clients of this instance, and the rooms that they listen to. Chat.mu guards it.
type localClients struct {
	*core

	// Immutable once Chat.Attach has returned.
	instance string
	limits   allowance.Limits // for each connection and for each user
	users    *allowance.Table // by origin or token
	start    time.Time        // origin of the connections' buckets

	byConn   map[uint64]*client
	rooms    map[string]*localRoom
	lastConn uint64

	returning map[state.Hash]*client // by token of the user: their claims are on their way through the log
}

// localRoom is a room with listeners on this instance. It has one room of socketio for each protocol.
type localRoom struct {
	name      string
	sockets   [2][]string // by protocol: the socketio room, as the arguments of Join and To
	listeners [2]int      // by protocol
	roster    roster
	history   cachedHistory
}

func newLocalClients(lastConn uint64, messageRate float64) localClients {
	limits := clientLimitsOf(messageRate)
	return localClients{
		limits:   limits,
		users:    allowance.NewTable(limits),
		start:    time.Now(),
		byConn:   make(map[uint64]*client),
		rooms:    make(map[string]*localRoom),
		lastConn: lastConn,

		returning: make(map[state.Hash]*client),
	}
}

// add registers a socket.
func (l *localClients) add(s *socketio.Socket, assigned *assigned) *client {
	l.lastConn++
	cl := &client{socket: s, conn: l.lastConn, born: time.Since(l.start).Milliseconds(), assigned: assigned,
		usage: usageOf(s)}
	if pid := s.PrivateID(); pid != "" {
		cl.instance = state.HashOf(pid)
	}
	l.byConn[cl.conn] = cl
	return cl
}

// at returns the client of a socket that is connected here, or nil.
func (l *localClients) at(conn state.ConnID) *client {
	if conn.Instance != l.instance {
		return nil
	}
	return l.byConn[conn.Conn]
}

// id names a client's socket in the state.
func (l *localClients) id(cl *client) state.ConnID {
	return state.ConnID{Instance: l.instance, Conn: cl.conn}
}

// sorted returns the clients in the order in which they have connected.
func (l *localClients) sorted() []*client {
	return slices.SortedFunc(maps.Values(l.byConn), func(a, b *client) int { return cmp.Compare(a.conn, b.conn) })
}

func (l *localClients) makeRoom(name string) *localRoom {
	r := l.rooms[name]
	if r == nil {
		r = &localRoom{name: name, sockets: [2][]string{state.V09: {"v0.9 " + name}, state.V4: {"v4 " + name}}}
		l.rooms[name] = r
	}
	return r
}

// returned ends the wait of a client for the log to bind it to its user.
func (l *localClients) returned(cl *client) {
	if l.returning[cl.token] == cl {
		delete(l.returning, cl.token)
	}
}

// numListeners returns how many clients receive what happens in the room.
func (r *localRoom) numListeners() int { return r.listeners[state.V09] + r.listeners[state.V4] }

// listenLocked makes a client receive what happens in a room, in its protocol.
func (l *localClients) listenLocked(cl *client, room string) {
	if slices.Contains(cl.rooms, room) {
		return
	}
	r := l.makeRoom(room)
	r.listeners[cl.protocol]++
	cl.rooms = append(cl.rooms, room)
	l.out.join(cl, r.sockets[cl.protocol])
}

// ignoreLocked ends listenLocked.
func (l *localClients) ignoreLocked(cl *client, room string) {
	i := slices.Index(cl.rooms, room)
	if i < 0 {
		return
	}
	cl.rooms = slices.Delete(cl.rooms, i, i+1)
	r := l.rooms[room]
	l.out.leave(cl, r.sockets[cl.protocol])
	r.listeners[cl.protocol]--
	if r.numListeners() == 0 {
		delete(l.rooms, room)
	}
}

// setProtocolLocked changes a client's protocol. The one of 4.x knows no room but the lobby.
func (l *localClients) setProtocolLocked(cl *client, p state.Protocol) {
	if cl.protocol == p {
		return
	}
	listened := slices.Clone(cl.rooms)
	for _, room := range listened {
		l.ignoreLocked(cl, room)
	}
	cl.protocol = p
	for _, room := range listened {
		if p == state.V09 || room == state.Lobby {
			l.listenLocked(cl, room)
		}
	}
}

// syncRoomsLocked makes a client listen to the rooms of its user, or to the lobby if it has none. It returns the rooms
// that the client did not listen to before.
func (l *localClients) syncRoomsLocked(cl *client) (added []string) {
	if cl.ahead != nil {
		return nil // catchUpLocked will
	}
	rooms := []string{state.Lobby}
	if cl.user != nil && cl.protocol == state.V09 {
		rooms = cl.user.Rooms()
	}
	for _, room := range slices.Clone(cl.rooms) {
		if !slices.Contains(rooms, room) {
			l.ignoreLocked(cl, room)
		}
	}
	for _, room := range rooms {
		if !slices.Contains(cl.rooms, room) {
			l.listenLocked(cl, room)
			added = append(added, room)
		}
	}
	return added
}
