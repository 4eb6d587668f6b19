package socketio

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Namespace is a part of a server with sockets, handlers and rooms of its own. Handlers are best set before clients come;
// every method may be called at any time from any goroutine.
type Namespace struct {
	// Immutable.
	server *Server
	name   string

	handlers atomic.Pointer[handlers] // replaced under mu, never changed
	nextAck  atomic.Uint64

	mu sync.RWMutex
	// mu guards these, and every socket's slot and rooms.
	sockets map[string]*Socket
	all     []*Socket // each at its slot
	rooms   map[string]*room
}

// handlers are the application's functions.
type handlers struct {
	use        []func(*Socket) error
	connect    []func(*Socket)
	disconnect []func(*Socket, error)
	events     map[string]func(*Socket, *Event)
	any        func(*Socket, *Event)
}

func newNamespace(s *Server, name string) *Namespace {
	n := &Namespace{server: s, name: name, sockets: make(map[string]*Socket), rooms: make(map[string]*room)}
	n.handlers.Store(&handlers{events: make(map[string]func(*Socket, *Event))})
	return n
}

// Name returns the namespace's name, which starts with a slash.
func (n *Namespace) Name() string { return n.name }

// Use adds a middleware. Middlewares run in the order they were added, on the joining client's goroutine and before the
// socket is in the namespace: it can neither be emitted to nor join rooms yet. An error refuses the client: a [*ConnectError] with its
// message and data, any other as "internal error". The client may try again.
func (n *Namespace) Use(f func(*Socket) error) {
	n.change(func(h *handlers) { h.use = append(slices.Clone(h.use), f) })
}

// OnConnect adds a function that is called with every socket that has joined, before any of its events.
func (n *Namespace) OnConnect(f func(*Socket)) {
	n.change(func(h *handlers) { h.connect = append(slices.Clone(h.connect), f) })
}

// OnDisconnect adds a function that is called once with every socket for which OnConnect was, when it has left the
// namespace, and why: [ErrClientDisconnect], [ErrServerDisconnect], [ErrSuperseded], or the reason its connection ended
// with: [ErrPanic], an *engineio.ProtocolError where the client broke the protocol, or one of engineio's errors.
// [Lost] tells which of them a client may come back from.
//
// It is called after the socket's other handlers have returned, except where another goroutine ends the socket with
// Disconnect, or its client comes back over another connection: then that one calls it, at once.
func (n *Namespace) OnDisconnect(f func(*Socket, error)) {
	n.change(func(h *handlers) { h.disconnect = append(slices.Clone(h.disconnect), f) })
}

// On sets the handler of an event; a second one replaces the first. Handlers of one client's events are called one after
// another, in the order the events came, on the goroutine that reads from the client: while one runs nothing more is read.
// A handler that panics costs its client the connection, and nobody else anything.
func (n *Namespace) On(event string, f func(*Socket, *Event)) {
	n.change(func(h *handlers) {
		h.events = maps.Clone(h.events)
		h.events[event] = f
	})
}

// OnAny sets the handler of events that have none of their own. Without one they are ignored.
func (n *Namespace) OnAny(f func(*Socket, *Event)) {
	n.change(func(h *handlers) { h.any = f })
}

func (n *Namespace) change(f func(*handlers)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	changed := *n.handlers.Load()
	f(&changed)
	n.handlers.Store(&changed)
}

// Socket returns the socket with this id, or nil if it is not in the namespace.
func (n *Namespace) Socket(id string) *Socket {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.sockets[id]
}

// add makes s part of the namespace, tells its client, and sends what it missed, all at one moment. It returns the socket
// that had the id until now, if any, which has been removed.
func (n *Namespace) add(s *Socket, rooms []string, missed func() []*Prepared) (old *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old = n.sockets[s.id]; old != nil {
		n.removeLocked(old)
	}
	if s.greets() {
		s.client.send(s.greeting())
	}
	if missed != nil {
		for _, p := range missed() {
			_ = s.client.session.SendPrepared(p.form(s.client.bare()))
		}
	}
	n.sockets[s.id] = s
	s.present.Store(true)
	s.slot = len(n.all)
	n.all = append(n.all, s)
	for _, name := range rooms {
		n.joinLocked(s, name)
	}
	n.server.counters.sockets.Add(1)
	return old
}

// remove takes s out of the namespace and its rooms; false if it was not in.
func (n *Namespace) remove(s *Socket) (rooms []string, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets[s.id] != s {
		return nil, false
	}
	if n.server.options.Recovery != nil {
		rooms = s.roomNamesLocked()
	}
	n.removeLocked(s)
	return rooms, true
}

func (n *Namespace) removeLocked(s *Socket) {
	delete(n.sockets, s.id)
	last := len(n.all) - 1
	n.all[s.slot] = n.all[last]
	n.all[s.slot].slot = s.slot
	n.all[last] = nil
	n.all = n.all[:last]
	for len(s.rooms) > 0 {
		n.leaveLocked(s, len(s.rooms)-1)
	}
	s.rooms = nil
	s.present.Store(false)
	n.server.counters.sockets.Add(-1)
}
