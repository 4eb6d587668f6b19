package socketio

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Namespace is a part of a server with sockets, handlers and rooms of its own. Set handlers before
// clients connect. Every method may be called at any time from any goroutine.
type Namespace struct {
	// Immutable.
	server *Server
	name   string

	handlers atomic.Pointer[handlers] // replaced under mu, never changed

	mu sync.RWMutex
	// mu guards these, and every socket's slot and rooms.
	sockets map[string]*Socket // by id
	all     []*Socket          // each at its slot
	rooms   map[string]*room   // by name
}

// handlers are the application's functions.
type handlers struct {
	connect    []func(*Socket)
	disconnect []func(*Socket, error)
	events     map[string]func(*Socket, *Event)
	unknown    func(*Socket, *Event) // nil: unknown events are ignored
}

func newNamespace(s *Server, name string) *Namespace {
	n := &Namespace{server: s, name: name, sockets: make(map[string]*Socket), rooms: make(map[string]*room)}
	n.handlers.Store(&handlers{events: make(map[string]func(*Socket, *Event))})
	return n
}

// Name returns the namespace's name, which starts with a slash.
func (n *Namespace) Name() string { return n.name }

// OnConnect adds a function that is called with every socket that has joined, before any of its events.
func (n *Namespace) OnConnect(f func(*Socket)) {
	n.change(func(h *handlers) { h.connect = append(slices.Clone(h.connect), f) })
}

// OnDisconnect adds a function that is called once with every socket that OnConnect was called with,
// after that socket has left the namespace. The error is the reason: [ErrClientDisconnect],
// [ErrServerDisconnect], [ErrSuperseded], or the reason of the connection's end, which is [ErrPanic],
// an *engineio.ProtocolError if the client broke the protocol, or one of engineio's errors. [Lost]
// reports which of them a client may come back from.
//
// The call follows the return of the socket's other handlers, on the goroutine that reads from the
// client. Two cases differ: Disconnect on another goroutine, and a client that comes back over another
// connection, make it at once on their own goroutine. A socket that ends while OnConnect's functions
// run is handed to OnDisconnect's after they have returned.
func (n *Namespace) OnDisconnect(f func(*Socket, error)) {
	n.change(func(h *handlers) { h.disconnect = append(slices.Clone(h.disconnect), f) })
}

// On sets the handler of an event; a second one replaces the first. The server ignores events without a
// handler. It calls the handlers of one client's events one after another, in the order the events
// arrived, on the goroutine that reads from the client: while one runs nothing more is read. A handler
// that panics ends its client's connection and no other.
func (n *Namespace) On(event string, f func(*Socket, *Event)) {
	n.change(func(h *handlers) {
		h.events = maps.Clone(h.events)
		h.events[event] = f
	})
}

// OnUnknown sets the handler of the events that have none of their own. It is called as [Namespace.On] says. Without it
// the server ignores such events, and a client that waits for an acknowledgement waits in vain.
func (n *Namespace) OnUnknown(f func(*Socket, *Event)) {
	n.change(func(h *handlers) { h.unknown = f })
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

// add puts s into the namespace and queues the client's CONNECT answer in one step, so that the answer
// precedes every event. It returns the socket that had the id until now, if any, which it has removed.
func (n *Namespace) add(s *Socket) (old *Socket) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old = n.sockets[s.id]; old != nil {
		n.removeLocked(old)
	}
	if s.wantsConnectAnswer() {
		s.client.send(s.connectAnswer())
	}
	n.sockets[s.id] = s
	s.present.Store(true)
	s.slot = len(n.all)
	n.all = append(n.all, s)
	n.server.counters.sockets.Add(1)
	return old
}

// remove takes s out of the namespace and its rooms, and reports whether it was in.
func (n *Namespace) remove(s *Socket) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sockets[s.id] != s {
		return false
	}
	n.removeLocked(s)
	return true
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
