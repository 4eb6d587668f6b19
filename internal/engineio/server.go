package engineio

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Handler is told what sessions do. Calls for one session never overlap; those for different ones do. A handler that blocks holds
// up its own session's reading and nothing else.
type Handler interface {
	// Opened is the first call for a session, before anything is received. What it sends follows the handshake at once.
	Opened(*Session)
	// Received is called on the goroutine that read. Text is valid UTF-8. The message's data is valid only until it returns.
	Received(*Session, Message)
	// Closed is the last call for a session, exactly once, with the reason: an error of this package, a *ProtocolError, or
	// what Close was given.
	Closed(*Session, error)
}

// Server opens sessions: as an http.Handler by Engine.IO, and by [Server.WebSocketHandler] on bare WebSockets. Its goroutines
// live while sessions do, but for some idle readers; Shutdown ends those, and waits for all.
type Server struct {
	// Immutable.
	handler   Handler
	options   Options
	start     time.Time
	heartbeat *heartbeat
	writers   []*writer
	readers   readers

	running       sync.WaitGroup // sessions whose handler has not been told of their end, and all goroutines
	slowConsumers atomic.Uint64
	opened        atomic.Uint64

	mu sync.Mutex
	// mu guards
	sessions  map[string]*Session
	addresses map[string]int     // sessions by holder; only where they are limited
	conns     map[*conn]struct{} // WebSockets, to be cut when Shutdown must not wait
	closing   bool
	isCut     bool // Shutdown waits for clients no longer
}

// NewServer makes a server that starts no goroutine before its first session.
func NewServer(handler Handler, options Options) *Server {
	s := &Server{
		handler:   handler,
		options:   options.withDefaults(),
		start:     time.Now(),
		sessions:  make(map[string]*Session),
		addresses: make(map[string]int),
		conns:     make(map[*conn]struct{}),
	}
	s.heartbeat = newHeartbeat(s)
	s.readers.server = s
	for range runtime.GOMAXPROCS(0) {
		s.writers = append(s.writers, &writer{server: s})
	}
	return s
}

func (s *Server) elapsed() time.Duration { return time.Since(s.start) }

// newSession makes a session, holding its dispatch lock: the caller lets go of it when the handler has been told. The session is
// known from here on.
func (s *Server) newSession(protocol Protocol, transport transport, handshake Handshake) (*Session, *httpError) {
	session := &Session{server: s, id: newSID(), protocol: protocol, transport: transport, handshake: handshake}
	session.slot = -1
	session.pulse.pinged = -1
	session.alive()
	session.dispatch.Lock()
	if err := s.register(session); err != nil {
		return nil, err
	}
	s.heartbeat.watch(session, s.options.PingInterval)
	if session.over.Load() { // Shutdown has found it before the heartbeat had it
		s.heartbeat.lingerOver(session)
	}
	s.options.Logger.Debug("session opened", "sid", session.id, "remote", handshake.RemoteAddr, "protocol", protocol)
	return session, nil
}

func (s *Server) register(session *Session) *httpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := ""
	if s.options.MaxSessionsPerAddress > 0 {
		address = holder(session.handshake.RemoteAddr)
	}
	switch {
	case s.closing, s.options.MaxSessions > 0 && len(s.sessions) >= s.options.MaxSessions:
		return errUnavailable
	case s.options.MaxSessionsPerAddress > 0 && s.addresses[address] >= s.options.MaxSessionsPerAddress:
		return errTooManySessions
	}
	if s.options.MaxSessionsPerAddress > 0 {
		s.addresses[address]++
	}
	s.sessions[session.id] = session
	session.shard = uint16(s.opened.Add(1) % uint64(len(s.writers)))
	s.running.Add(1) // until finish
	return nil
}

// remove makes a session unknown, and then has the heartbeat forget it: see lingerOver for who watches it anew meanwhile.
func (s *Server) remove(session *Session) {
	s.unregister(session)
	s.heartbeat.forget(session)
}

func (s *Server) unregister(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sessions[session.id] != session {
		return
	}
	delete(s.sessions, session.id)
	if s.options.MaxSessionsPerAddress == 0 {
		return
	}
	address := holder(session.handshake.RemoteAddr)
	s.addresses[address]--
	if s.addresses[address] == 0 {
		delete(s.addresses, address)
	}
}

func (s *Server) known(session *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[session.id] == session
}

func (s *Server) lookup(sid string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[sid]
}

// enter makes Shutdown wait until running.Done is called; false where it does not any more.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.running.Add(1)
	return true
}

// goWith runs f, which may wait for the client of the WebSocket c, on a goroutine of its own, for as long as Shutdown does. The caller is
// one that Shutdown waits for itself.
func (s *Server) goWith(c *conn, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isCut {
		c.abort()
	}
	c.users++
	s.conns[c] = struct{}{}
	s.running.Go(func() {
		f()
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.users--; c.users == 0 {
			delete(s.conns, c)
		}
	})
}

// all is every session there is.
func (s *Server) all() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	return sessions
}

// Drain opens no more sessions and closes those there are one by one, evenly spread over a time, so that the servers their clients go
// to are not stormed. It returns when all are closed, or have left by themselves, or ctx has ended; Shutdown must follow.
func (s *Server) Drain(ctx context.Context, over time.Duration) {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	sessions := s.all()
	if len(sessions) == 0 {
		return
	}
	const step = 100 * time.Millisecond
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	steps := max(int(over/step), 1)
	for i := range steps {
		for _, session := range sessions[len(sessions)*i/steps : len(sessions)*(i+1)/steps] {
			session.Close(ErrServerClosed)
		}
		if i == steps-1 || s.empty() {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Shutdown opens no more sessions, closes those there are with ErrServerClosed, and waits until their clients have been told, the
// handler has heard of every end and all goroutines are gone. When ctx ends first it cuts the connections, by which they end at once, and
// returns ctx's error. Calls of the handler it waits for in any case.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for _, session := range s.all() {
		session.Close(ErrServerClosed)
	}
	s.readers.close()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	<-done
	return ctx.Err()
}

// cut ends what is left without waiting for clients.
func (s *Server) cut() {
	for _, session := range s.all() {
		s.remove(session)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isCut = true
	for c := range s.conns {
		c.abort()
	}
}

// Stats are figures of a server, for metrics.
type Stats struct {
	Sessions      int    // open now, those still telling their clients of their end among them
	Opened        uint64 // sessions ever opened
	QueuedBytes   int    // waiting to be sent
	MessagesIn    uint64
	BytesIn       uint64 // of messages
	MessagesOut   uint64 // a message to two sessions counts two
	BytesOut      uint64 // written to WebSockets, framing included, and in polling responses
	Writes        uint64 // gathered writes to WebSockets: MessagesOut/Writes tells how much is gathered
	SlowConsumers uint64 // sessions closed as such
}

func (s *Server) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions) == 0
}

// Opened is how many sessions were ever opened.
func (s *Server) Opened() uint64 { return s.opened.Load() }

// Stats counts; it visits every session.
func (s *Server) Stats() Stats {
	stats := Stats{Opened: s.opened.Load(), SlowConsumers: s.slowConsumers.Load()}
	for _, session := range s.all() {
		stats.Sessions++
		session.mu.Lock()
		stats.QueuedBytes += session.queued
		session.mu.Unlock()
	}
	for _, w := range s.writers {
		stats.MessagesIn += w.messagesIn.Load()
		stats.BytesIn += w.bytesIn.Load()
		stats.MessagesOut += w.messagesOut.Load()
		stats.BytesOut += w.bytesOut.Load()
		stats.Writes += w.writes.Load()
	}
	return stats
}
