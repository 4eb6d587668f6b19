package socketio

import (
	"log/slog"
	"strings"
	"sync"

	"chatapp/internal/engineio"
)

// Server gives the sessions of an Engine.IO server their sockets. It is that server's handler:
//
//	server := socketio.NewServer(socketio.Options{})
//	engine := engineio.NewServer(server, engineio.Options{})
type Server struct {
	// Immutable.
	options Options
	limits  limits
	log     *slog.Logger

	timeouts  *connectTimeouts
	bodies    sync.Pool // of *body
	incomings sync.Pool // of *incoming
	counters  counters

	mu         sync.RWMutex
	namespaces map[string]*Namespace // guarded by mu
}

// NewServer returns a server with the main namespace, "/", and no other.
func NewServer(o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		options:    o,
		limits:     o.limits(),
		log:        o.Logger,
		timeouts:   newConnectTimeouts(),
		namespaces: make(map[string]*Namespace),
	}
	s.bodies.New = func() any { return new(body) }
	s.incomings.New = func() any { return new(incoming) }
	s.Of(rootNamespace)
	return s
}

// Of returns the namespace with this name, and creates it if it does not exist. "custom" and "/custom"
// are the same. Clients can join only namespaces that the application has created so.
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

// lookup returns the namespace with this name, or nil if Of has not created it.
func (s *Server) lookup(name []byte) *Namespace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(name) == 0 {
		return s.namespaces[rootNamespace]
	}
	return s.namespaces[string(name)]
}

// Close stops the timer of the connect time-outs and waits for those that are expiring. Call it after
// the Shutdown of the Engine.IO server, which ends the sockets.
func (s *Server) Close() { s.timeouts.close() }

// Opened implements [engineio.Handler].
func (s *Server) Opened(session *engineio.Session) {
	s.counters.clients.Add(1)
	c := &client{server: s, session: session}
	session.SetValue(c)
	c.open()
}

// Received implements [engineio.Handler]. It runs the application's handlers before it returns.
func (s *Server) Received(session *engineio.Session, m engineio.Message) {
	c := session.Value().(*client)
	in := s.incomings.Get().(*incoming)
	if c.isRaw() {
		c.receiveRaw(m, in)
	} else if err := c.receive(m, in); err != nil {
		c.closeMalformed(err)
	}
	in.release()
	s.incomings.Put(in)
}

// Closed implements [engineio.Handler].
func (s *Server) Closed(session *engineio.Session, reason error) {
	session.Value().(*client).close(reason)
	s.counters.clients.Add(-1)
}

func (s *Server) borrowBody() *body { return s.bodies.Get().(*body) }

// maxPooled bounds the capacity in bytes of a buffer that goes back to a pool.
const maxPooled = 64 << 10

func (s *Server) returnBody(b *body) {
	if cap(b.text) > maxPooled {
		return
	}
	b.reset()
	s.bodies.Put(b)
}

// release drops all references to the packet's data and keeps the capacity of its slices.
func (in *incoming) release() {
	in.packet = packet{args: in.packet.args[:0]}
	in.raw = rawMessage{args: in.raw.args[:0]}
	in.event = Event{}
}
