package socketio

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"chatapp/internal/engineio"
)

// Server gives the sessions of an Engine.IO server their sockets. It is that server's handler:
//
//	server := socketio.NewServer(socketio.Options{})
//	engine := engineio.NewServer(server, engineio.Options{})
type Server struct {
	// Immutable.
	options  Options
	limits   limits
	log      *slog.Logger
	recorder Recorder // options.Recovery if it is one

	deadlines deadlines
	bodies    sync.Pool // of *body
	incomings sync.Pool // of *incoming
	counters  counters

	mu         sync.RWMutex
	namespaces map[string]*Namespace // guarded by mu
}

// counters are what Stats tells, as they grow.
type counters struct {
	clients, sockets                                                atomic.Int64
	events, acks, deliveries, connectErrors, protocolErrors, panics atomic.Uint64
}

// NewServer returns a server with the main namespace, "/", and no other.
func NewServer(o Options) *Server {
	o = o.withDefaults()
	s := &Server{options: o, limits: o.limits(), log: o.Logger, namespaces: make(map[string]*Namespace)}
	s.recorder, _ = o.Recovery.(Recorder)
	s.bodies.New = func() any { return new(body) }
	s.incomings.New = func() any { return new(incoming) }
	s.Of(rootNamespace)
	return s
}

// Of returns the namespace called name, which exists from then on. "custom" and "/custom" are the same.
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.namespaces[name]
	if n == nil {
		n = newNamespace(s, name)
		s.namespaces[name] = n
	}
	return n
}

// lookup returns the namespace called name, or nil if Of has never named it.
func (s *Server) lookup(name []byte) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(name) == 0 {
		return s.namespaces[rootNamespace]
	}
	return s.namespaces[string(name)]
}

// Close stops the server's timers and waits for those that are being served: no acknowledgement times out any more. It
// belongs behind the Shutdown of the Engine.IO server, which ends the sockets.
func (s *Server) Close() error {
	s.deadlines.close()
	return nil
}

// Stats are counts since the server was made, but for Clients and Sockets, which are there now.
type Stats struct {
	Clients        int64  // connections
	Sockets        int64  // clients times the namespaces each is in
	Events         uint64 // received
	Acks           uint64 // received, and waited for
	Deliveries     uint64 // events queued for a socket
	ConnectErrors  uint64 // clients refused by a namespace
	ProtocolErrors uint64 // packets refused
	Panics         uint64 // of handlers
}

// Stats returns the counts as they are.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Clients:        c.clients.Load(),
		Sockets:        c.sockets.Load(),
		Events:         c.events.Load(),
		Acks:           c.acks.Load(),
		Deliveries:     c.deliveries.Load(),
		ConnectErrors:  c.connectErrors.Load(),
		ProtocolErrors: c.protocolErrors.Load(),
		Panics:         c.panics.Load(),
	}
}

// Opened is the Engine.IO server telling of a new session.
func (s *Server) Opened(session *engineio.Session) {
	s.counters.clients.Add(1)
	c := &client{server: s, session: session}
	session.SetValue(c)
	c.open()
}

// Received is the Engine.IO server handing over a message.
func (s *Server) Received(session *engineio.Session, m engineio.Message) {
	c := session.Value().(*client)
	in := s.incomings.Get().(*incoming)
	if session.Protocol() == engineio.Raw {
		c.receiveBare(m, in)
	} else if err := c.receive(m, in); err != nil {
		c.violate(err)
	}
	in.release()
	s.incomings.Put(in)
}

// Closed is the Engine.IO server telling of a session's end.
func (s *Server) Closed(session *engineio.Session, reason error) {
	session.Value().(*client).close(reason)
	s.counters.clients.Add(-1)
}

func (s *Server) borrowBody() *body { return s.bodies.Get().(*body) }

// maxPooled bounds what a pooled buffer may hold on to.
const maxPooled = 64 << 10

func (s *Server) returnBody(b *body) {
	if cap(b.text) > maxPooled {
		return
	}
	b.reset()
	s.bodies.Put(b)
}

// release lets go of the packet's data.
func (in *incoming) release() {
	in.packet = packet{args: in.packet.args[:0]}
	in.bare = bareMessage{args: in.bare.args[:0]}
	in.event = Event{}
}
