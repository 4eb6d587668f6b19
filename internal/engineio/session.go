package engineio

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Protocol is what a session's client speaks.
type Protocol uint8

// The protocols. V3 comes only where [Options.Protocol3] allows it.
const (
	Raw Protocol = 0 // WebSocket messages alone, from [Server.WebSocketHandler]
	V3  Protocol = 3 // Engine.IO 3, the one of Socket.IO 2.x
	V4  Protocol = 4 // Engine.IO 4, the one of Socket.IO 3 and 4
)

type transport uint8

const (
	polling transport = iota
	webSocket
)

// ending is what becomes of a connection once everything is written.
type ending uint8

const (
	stay      ending = iota
	halfClose        // the peer is told, and its answer awaited
	hangUp
)

// Session is one client's connection, over whatever transport, from the request that opened it to its end. All methods are safe
// for concurrent use, but for those that say otherwise, and none waits for the network.
type Session struct {
	// Immutable.
	server     *Server
	id         string
	handshake  Handshake
	protocol   Protocol
	base64Only bool   // a protocol 3 client that cannot take binary payloads
	shard      uint16 // which of the server's writers writes for it

	slot int32 // of the heartbeat's wheel, where the session waits; -1: in none. Guarded by heartbeat.mu

	value any // the handler's

	// dispatch is held while the handler is called, so that calls never overlap. It is taken before the session is known to
	// anybody and let go when Opened has returned.
	dispatch sync.Mutex
	told     bool        // the handler knows the session; guarded by dispatch
	over     atomic.Bool // no more Received; written under mu

	pulse pulse

	mu sync.Mutex
	// mu guards what follows.
	err       error // why it is over
	conn      *conn // the WebSocket that carries the session
	probing   *conn // the WebSocket that is to take over
	poll      *poll // the GET that waits
	queue     *queue
	queued    int // bytes that what is in queue and being written counts for
	last      packetType
	transport transport
	after     ending
	busy      bool // on its writer's list, or being written
	blocked   bool // being written by a goroutine of its own
	posting   bool // a POST is being read or handled
	closeSent bool
}

func (s *Session) writer() *writer { return s.server.writers[s.shard] }

// ID is the session's identifier, sid. Who knows it can speak as the client: don't show it to others.
func (s *Session) ID() string { return s.id }

// Protocol is what the client speaks.
func (s *Session) Protocol() Protocol { return s.protocol }

// Handshake is what the opening request told. It must not be changed.
func (s *Session) Handshake() *Handshake { return &s.handshake }

// Value is what SetValue has set last, or nil. Both are for the handler alone, within its calls for this session: there is no
// lock.
func (s *Session) Value() any { return s.value }

// SetValue keeps the handler's own state of this session.
func (s *Session) SetValue(v any) { s.value = v }

// reason is why the session is over, or nil while it is not.
func (s *Session) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Send queues messages, which stay together and in order. It returns ErrClosed when the session is over, and ErrSlowConsumer
// when its queue is full, which closes it.
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
func (s *Session) SendPrepared(p *Prepared) error {
	s.mu.Lock()
	if s.over.Load() {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.queued > 0 && s.queued+p.size > s.server.options.MaxQueueBytes {
		s.closeLocked(ErrSlowConsumer)
		s.mu.Unlock()
		s.server.running.Go(s.finish)
		return ErrSlowConsumer
	}
	s.pushLocked(p)
	return s.unlockAndWrite()
}

// volatileBacklog is how much may wait for a client that still counts as keeping up: some hundred small messages.
const volatileBacklog = 256 << 10

// SendVolatile sends what is worthless later. It returns false, and drops p, where the session is over or its client is not
// keeping up: its socket is full, or no poll is waiting.
func (s *Session) SendVolatile(p *Prepared) bool {
	s.mu.Lock()
	lagging := s.blocked || s.queued > volatileBacklog || s.conn == nil && s.poll == nil
	if s.over.Load() || lagging {
		s.mu.Unlock()
		return false
	}
	s.pushLocked(p)
	return s.unlockAndWrite() == nil
}

func (s *Session) pushLocked(p *Prepared) {
	if s.queue == nil {
		s.queue = newQueue()
	}
	s.queue.items = append(s.queue.items, p)
	s.queued += p.size
}

// unlockAndWrite sees to it that what was queued is written, by whoever is there to do it.
func (s *Session) unlockAndWrite() error {
	defer s.mu.Unlock()
	if s.wakeLocked() {
		s.writer().add(s) // under the lock, or the session might end before, and Shutdown not wait for the writer
	}
	return nil
}

// wakeLocked wakes a waiting poll; true means that the session must be put on its writer's list.
func (s *Session) wakeLocked() bool {
	if s.conn != nil {
		idle := !s.busy
		s.busy = true
		return idle
	}
	if s.poll != nil {
		s.poll.wake()
	}
	return false
}

// Close ends the session with a reason, which [Handler.Closed] will be given; nil stands for ErrClosed. What was sent before
// still goes out. It never calls the handler itself.
func (s *Session) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	if s.end(reason) {
		s.server.running.Go(s.finish)
	}
}

// end marks the session as over; false if it was before. The caller sees to it that finish is called.
func (s *Session) end(reason error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeLocked(reason)
}

func (s *Session) closeLocked(reason error) bool {
	if s.over.Load() {
		return false
	}
	s.over.Store(true)
	s.err = reason
	if reason == ErrSlowConsumer {
		s.server.slowConsumers.Add(1)
		s.dropLocked()
	}
	if s.probing != nil {
		// Its client may have ended polling already and wait to move. Were the WebSocket cut now, the official client would stay
		// between the two until its own ping time-out; so the upgrade packet is awaited, and answered by closing.
		_ = s.probing.Conn.SetDeadline(time.Now().Add(s.server.options.CloseTimeout))
	}
	if s.conn != nil {
		s.sayGoodbyeLocked(reason)
		s.server.remove(s)
		return true
	}
	s.last = lastPacket(reason)
	if s.last == 0 || s.transport == webSocket { // one that has not come yet
		s.dropLocked()
		s.server.remove(s)
	} else {
		s.server.heartbeat.linger(s)
	}
	if s.poll != nil {
		s.poll.wake()
	}
	return true
}

// dropLocked forgets what waits. What is being written is the writer's.
func (s *Session) dropLocked() {
	if s.queue != nil {
		s.queued -= s.queue.size()
		s.queue.release()
		s.queue = nil
	}
}

// sayGoodbyeLocked starts the closing handshake, or gives up after CloseTimeout.
func (s *Session) sayGoodbyeLocked(reason error) {
	_ = s.conn.Conn.SetDeadline(time.Now().Add(s.server.options.CloseTimeout))
	if s.closeSent {
		return
	}
	s.closeSent = true
	code, text := closeCode(reason)
	s.pushLocked(prepareFrames(appendCloseFrame(nil, code, text)))
	if s.wakeLocked() {
		s.writer().add(s)
	}
}

// lastPacket is what a polling client is told at the end by the poll that waits or the next one: that the server closes, or, where
// the client itself has closed with a POST, only that its poll is over. 0 where nobody is expected to ask.
func lastPacket(reason error) packetType {
	var protocol *ProtocolError
	switch {
	case errors.Is(reason, ErrClientClosed):
		return packetNoop
	case errors.Is(reason, ErrPingTimeout), errors.Is(reason, ErrTransportClosed), errors.As(reason, &protocol):
		return 0
	}
	return packetClose
}

// open tells the handler of the session, if that is not over already, and lets others call it.
func (s *Session) open() {
	defer s.dispatch.Unlock()
	if s.over.Load() {
		return
	}
	s.told = true
	s.server.handler.Opened(s)
}

// finish tells the handler that the session is over. Whoever ended it calls it once, on a goroutine that is not within a call
// of the handler.
func (s *Session) finish() {
	s.dispatch.Lock()
	if s.told {
		s.server.handler.Closed(s, s.reason())
	}
	s.dispatch.Unlock()
	s.server.options.Logger.Debug("session closed", "sid", s.id, "remote", s.handshake.RemoteAddr, "err", s.reason())
	s.server.running.Done() // the session's own, taken when it was opened
}

// deliver hands a message up.
func (s *Session) deliver(m Message) {
	s.dispatch.Lock()
	defer s.dispatch.Unlock()
	if s.over.Load() {
		return
	}
	s.writer().received(len(m.Data))
	s.server.handler.Received(s, m)
}

// sendClose is gorilla answering a close frame, or a mistake, with the close frame b.
func (s *Session) sendClose(c *conn, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c || s.closeSent {
		return
	}
	s.closeSent = true
	s.pushLocked(prepareFrames(append([]byte(nil), b...)))
	if s.wakeLocked() {
		s.writer().add(s)
	}
}

// maxControlBacklog is how much may wait before pings are answered no longer one by one.
const maxControlBacklog = 64 << 10

// sendControlFrame queues the pong that answers a client's WebSocket ping. To a client that lags only the last of several pings in a row
// is answered, RFC 6455 section 5.5.3, so that one that pings without reading cannot fill its queue with pongs.
func (s *Session) sendControlFrame(c *conn, b []byte) {
	s.mu.Lock()
	if s.conn != c || s.closeSent {
		s.mu.Unlock()
		return
	}
	pong := prepareFrames(append([]byte(nil), b...))
	if s.queued > maxControlBacklog && s.queue != nil {
		last := &s.queue.items[len(s.queue.items)-1]
		if raw := (*last).frames; len(raw) > 0 && raw[0] == framePong {
			s.queued += pong.size - (*last).size
			*last = pong
			s.mu.Unlock()
			return
		}
	}
	s.pushLocked(pong)
	_ = s.unlockAndWrite()
}
