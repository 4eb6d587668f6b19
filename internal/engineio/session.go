package engineio

import "sync"

// Protocol tells apart the clients of a server: by their Engine.IO version, or as raw WebSockets.
type Protocol uint8

// The protocols. V3 occurs only where [Options.Protocol3] allows it.
const (
	Raw Protocol = 0 // WebSocket messages alone, from [Server.WebSocketHandler]
	V3  Protocol = 3 // Engine.IO 3, which Socket.IO 2.x clients speak
	V4  Protocol = 4 // Engine.IO 4, which Socket.IO 3.x and 4.x clients speak
)

// Session is the connection of one client, over any transport, from the request that opened it to
// its end. Its methods are safe for concurrent use, except where they say otherwise, and none waits
// for the network.
type Session struct {
	// Immutable.
	server     *Server
	id         string
	handshake  Handshake
	protocol   Protocol
	base64Only bool   // a protocol 3 client that can't take binary payloads
	shard      uint16 // which of the server's writers writes for it

	calls     handlerCalls
	value     any // the handler's
	heartbeat heartbeatEntry
	life      life
	usage     usage

	mu sync.Mutex
	// mu guards what follows.
	output  output
	polling pollingState
	conn    *conn // the WebSocket that carries the session
	probing *conn // the WebSocket that wants to take over
}

func (s *Session) writer() *writer { return s.server.writers[s.shard] }

// ID is the session's identifier, sid. Anybody who knows it can speak as the client: don't show it
// to others.
func (s *Session) ID() string { return s.id }

// Protocol never changes during a session.
func (s *Session) Protocol() Protocol { return s.protocol }

// Handshake describes the request that opened the session. It must not be changed.
func (s *Session) Handshake() *Handshake { return &s.handshake }

// Value returns what SetValue has set last, or nil. Both are for the handler alone, within its
// calls for this session: there is no lock.
func (s *Session) Value() any { return s.value }

// SetValue keeps the handler's own state of this session.
func (s *Session) SetValue(v any) { s.value = v }

// reason is why the session is over, or nil while it is not.
func (s *Session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life.reason
}

// Send queues messages, which stay together and in order. It returns ErrClosed when the session is
// over, and ErrSlowConsumer when its queue is full, which closes it.
func (s *Session) Send(messages ...Message) error {
	if len(messages) == 0 {
		return nil
	}
	if len(messages) == 1 {
		return s.SendPrepared(prepareOne(messages[0]))
	}
	return s.SendPrepared(Prepare(messages...))
}

// SendPrepared is Send for what goes to many sessions. It allocates nothing.
func (s *Session) SendPrepared(p *Prepared) error { return s.enqueue(p, 1) }

func (s *Session) enqueue(p *Prepared, holds int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.over() {
		return ErrClosed
	}
	if s.output.size > 0 && s.output.size+p.size > s.server.options.MaxQueueBytes {
		s.transitionLocked(eventCloseDropping, ErrSlowConsumer)
		s.server.running.Go(s.notifyClosed)
		return ErrSlowConsumer
	}
	s.pushLocked(p, holds)
	s.wakeLocked()
	return nil
}

// volatileBacklog is how many bytes may wait for a client that still counts as keeping up: some
// hundred small messages.
const volatileBacklog = 256 << 10

// SendVolatile is SendPrepared for what is worthless later. It reports whether p was queued. It
// drops p where the session is over or its client does not keep up: its socket is full, or no poll
// is waiting.
func (s *Session) SendVolatile(p *Prepared) bool { return s.enqueueVolatile(p, 1) }

func (s *Session) enqueueVolatile(p *Prepared, holds int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lagging := s.output.blocked || s.output.size > volatileBacklog || s.conn == nil && s.polling.poll == nil
	if s.life.over() || lagging {
		return false
	}
	s.pushLocked(p, holds)
	s.wakeLocked()
	return true
}

// maxControlBacklog is how many bytes may wait before not every ping is answered.
const maxControlBacklog = 64 << 10

// sendPong queues the pong that answers a client's WebSocket ping. A client that lags receives an
// answer only to the last of several pings in a row, RFC 6455 section 5.5.3, so that one that pings
// without reading can't fill its queue with pongs.
func (s *Session) sendPong(c *conn, frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c || s.life.over() {
		return
	}
	pong := prepareFrames(append([]byte(nil), frame...))
	if s.output.size > maxControlBacklog && s.output.queue != nil && s.output.replaceLastPong(s.server, pong) {
		return
	}
	s.pushLocked(pong, 1)
	s.wakeLocked()
}
