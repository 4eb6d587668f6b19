package engineio

import (
	"errors"
	"net/http"
	"time"
	"unicode/utf8"
)

// WebSocketHandler is the bare door: each WebSocket is a session of protocol [Raw], its messages the session's messages.
func (s *Server) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.originAllowed(r) {
			errForbidden.write(w)
			return
		}
		if !isUpgrade(r) {
			w.Header().Set("Upgrade", "websocket")
			http.Error(w, "this address speaks WebSocket", http.StatusUpgradeRequired)
			return
		}
		if refusal := s.openWebSocket(w, r, Raw); refusal != nil {
			refusal.write(w)
		}
	})
}

// openWebSocket opens a session on a WebSocket. The session is made first, so that a server that is full refuses with an HTTP
// status, and reading goes on in a goroutine of its own, so that the request's memory is free again.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request, protocol Protocol) *httpError {
	session, refusal := s.newSession(protocol, webSocket, newHandshake(r, &s.options))
	if refusal != nil {
		return refusal
	}
	c, err := s.upgrade(w, r, protocol)
	if err != nil { // and answered
		s.discard(session, err)
		return nil
	}
	if !session.attach(c) { // closed meanwhile, by Shutdown
		s.goWith(c, func() { c.refuse(s.options.CloseTimeout, ErrServerClosed) })
		s.discard(session, ErrServerClosed)
		return nil
	}
	s.goWith(c, func() { session.run(c, true) })
	return nil
}

// discard forgets a session that the handler has not been told of.
func (s *Server) discard(session *Session, err error) {
	session.dispatch.Unlock()
	if session.end(err) {
		session.finish()
	}
}

// attach gives a new session its WebSocket, with the handshake's bytes and the open packet as the first to be written, in one
// write together with what the handler sends at once.
func (s *Session) attach(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() {
		return false
	}
	c.session = s
	s.conn = c
	first := c.takeHandshake()
	if s.protocol != Raw {
		first = appendFrame(first, frameText, "", s.server.openPacket(s.id, s.protocol, webSocket))
	} else {
		c.ws.SetPongHandler(func(string) error { s.alive(); return nil })
	}
	s.pushLocked(prepareFrames(first))
	s.busy = true
	s.writer().add(s)
	return true
}

// run is the life of a session on a WebSocket. The goroutine waits, and a reader does the rest; where waiting alone is not possible,
// as through TLS, it does everything itself.
func (s *Session) run(c *conn, isNew bool) {
	if c.raw == nil {
		if isNew {
			s.open()
		}
		for s.read(c) {
		}
		return
	}
	more := !isNew || s.server.readers.do(job{s, c, true})
	for more {
		if !c.waiting() {
			c.giveBack()
			c.await()
		}
		more = s.server.readers.do(job{s, c, false})
	}
}

// read handles what has come, and waits where that is less than a message or nothing; false when the connection has ended.
func (s *Session) read(c *conn) bool {
	for {
		if c.takeControl() {
			if !c.waiting() {
				return true
			}
			continue
		}
		m, binary, err := c.read()
		if err == nil {
			err = s.receive(m.b, binary)
			m.release()
		}
		if err != nil {
			s.leave(c, err)
			return false
		}
		if !c.waiting() {
			return true
		}
	}
}

// leave ends the session, if it was not over before, and its connection: after a mistake, or when this side closes, the peer is
// given time to read why.
func (s *Session) leave(c *conn, err error) {
	deadline := time.Now().Add(s.server.options.CloseTimeout)
	ended := s.end(err)
	s.mu.Lock()
	gone := errors.Is(err, ErrTransportClosed)
	s.after = halfClose
	if gone {
		s.after = hangUp
	}
	due := s.endingLocked()
	s.mu.Unlock()
	if ended {
		s.finish()
	}
	c.end(due)
	if !gone {
		c.awaitEnd(deadline)
		_ = c.Conn.Close()
	}
}

var errTextUTF8 = protocolError(closeInvalidData, "invalid UTF-8")

// receive handles a WebSocket message.
func (s *Session) receive(b []byte, binary bool) error {
	if !binary && !utf8.Valid(b) {
		return errTextUTF8 // RFC 6455 section 8.1
	}
	if s.protocol == Raw {
		s.deliver(Message{Data: b, Binary: binary})
		return nil
	}
	p, err := s.parse(b, binary)
	if err != nil {
		return err
	}
	return s.handle(p)
}

func (s *Session) parse(b []byte, binary bool) (packet, error) {
	switch {
	case !binary:
		return parseText(b)
	case s.protocol == V3:
		return parseBinary3(b)
	}
	return packet{kind: packetMessage, binary: true, data: b}, nil
}

var errHeartbeatDirection = protocolError(closePolicyViolation, "heartbeat in the wrong direction")

// handle does what a packet asks for. Engine.IO v4, "Packet types"; v3 for the heartbeat's other direction.
func (s *Session) handle(p packet) error {
	switch p.kind {
	case packetMessage:
		s.deliver(Message{Data: p.data, Binary: p.binary})
	case packetPong:
		if s.protocol == V3 {
			return errHeartbeatDirection
		}
		s.alive()
	case packetPing:
		if s.protocol != V3 {
			return errHeartbeatDirection
		}
		s.alive()
		return ignoreClosed(s.SendPrepared(pongPacket))
	case packetClose:
		return ErrClientClosed
	case packetNoop:
	default: // open is the server's, upgrade has its time
		return errPacketType
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, ErrClosed) {
		return nil
	}
	return err
}
