package engineio

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Server opens sessions: as an http.Handler by Engine.IO, and by [Server.WebSocketHandler] on raw
// WebSockets. Its goroutines live while sessions do, except for some idle readers; Shutdown ends
// those, and waits for all.
type Server struct {
	// Immutable.
	handler   Handler
	options   Options
	start     time.Time
	heartbeat *heartbeat
	writers   []*writer
	readers   readerPool

	origins       origins
	budget        queueBudget
	running       sync.WaitGroup // sessions until their notifyClosed has returned, and all goroutines
	slowConsumers atomic.Uint64
	opened        atomic.Uint64
	refusals      atomic.Uint64
	proxied       atomic.Bool // a request came through a proxy that is not trusted

	mu sync.Mutex
	// mu guards
	sessions  map[string]*Session // by sid
	addresses map[string]int      // sessions by Handshake.Counted; only where they are limited
	conns     map[*conn]int       // goroutines that may wait for a WebSocket, to be cut when Shutdown must not wait
	state     serverState
}

// serverState only grows.
type serverState uint8

const (
	serving serverState = iota
	closing             // no more sessions are opened
	cutting             // and Shutdown waits for no client
)

// NewServer returns a server that starts no goroutine before its first session.
func NewServer(handler Handler, options Options) *Server {
	s := &Server{
		handler:   handler,
		options:   options.withDefaults(),
		start:     time.Now(),
		sessions:  make(map[string]*Session),
		addresses: make(map[string]int),
		conns:     make(map[*conn]int),
	}
	s.budget.limit = int64(s.options.MaxQueuedBytes)
	for _, origin := range s.options.AllowedOrigins {
		if p, err := parseOriginPattern(origin); err == nil {
			s.origins.allowed = append(s.origins.allowed, p)
		}
	}
	s.heartbeat = newHeartbeat(s)
	s.readers.server = s
	for range runtime.GOMAXPROCS(0) {
		s.writers = append(s.writers, &writer{server: s})
	}
	return s
}

func (s *Server) elapsed() time.Duration { return time.Since(s.start) }

// newSession makes a session that others can find from then on. It holds the session's calls.mu:
// the caller releases it by notifyOpened, or by discard.
func (s *Server) newSession(protocol Protocol, first state, handshake Handshake) (*Session, *httpError) {
	session := &Session{server: s, id: newSID(), protocol: protocol, handshake: handshake}
	session.life.current.Store(uint32(first))
	session.heartbeat.slot = -1
	session.heartbeat.pingedFor = -1
	session.alive()
	session.calls.mu.Lock()
	if err := s.register(session); err != nil {
		return nil, err
	}
	s.heartbeat.schedule(session, s.options.PingInterval)
	if session.life.over() { // Shutdown has found it before it was scheduled
		s.heartbeat.rescheduleOver(session)
	}
	s.options.Logger.Debug("session opened", "session", logID(session.id), "remote", handshake.RemoteAddr,
		"protocol", protocol)
	return session, nil
}

// enter makes Shutdown wait until running.Done is called. It reports false after Shutdown or Drain
// has begun.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != serving {
		return false
	}
	s.running.Add(1)
	return true
}

// goWith runs f, which may wait for the client of the WebSocket c, on a goroutine of its own.
// Shutdown waits for it, and cuts c when its context ends. The caller must be a goroutine that
// Shutdown waits for.
func (s *Server) goWith(c *conn, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == cutting {
		c.abort()
	}
	s.conns[c]++
	s.running.Go(func() {
		f()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.conns[c]--; s.conns[c] == 0 {
			delete(s.conns, c)
		}
	})
}
