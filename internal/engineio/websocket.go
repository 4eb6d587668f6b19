package engineio

import (
	"errors"
	"net/http"
	"unicode/utf8"
)

// WebSocketHandler is the endpoint for raw WebSockets: each is a session of protocol [Raw], its
// messages the session's messages.
func (s *Server) WebSocketHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.admitOrigin(w, r) {
			return
		}
		if !isUpgrade(r) {
			w.Header().Set("Upgrade", "websocket")
			http.Error(w, "this address speaks WebSocket", http.StatusUpgradeRequired)
			return
		}
		if !s.signedIn(r) {
			s.auditRefusal(r, errUnauthorized)
			errUnauthorized.write(w)
			return
		}
		if refusal := s.openWebSocket(w, r, Raw); refusal != nil {
			s.auditRefusal(r, refusal)
			refusal.write(w)
		}
	})
}

// openWebSocket opens a session on a WebSocket. It makes the session first, so that a full server
// refuses with an HTTP status. Reading goes on in another goroutine, so that the request's memory
// is free again.
func (s *Server) openWebSocket(w http.ResponseWriter, r *http.Request, protocol Protocol) *httpError {
	session, refusal := s.newSession(protocol, stateOpening, s.newHandshake(r))
	if refusal != nil {
		return refusal
	}
	c, err := s.acceptWebSocket(w, r)
	if err != nil { // and answered
		s.discard(session, err)
		return nil
	}
	if !session.attach(c) { // closed since, by Shutdown
		s.goWith(c, func() { c.refuse(s.options.CloseTimeout, ErrServerClosed) })
		s.discard(session, ErrServerClosed)
		return nil
	}
	s.goWith(c, func() { session.run(c, true) })
	return nil
}

// discard ends a session that the handler does not know.
func (s *Server) discard(session *Session, err error) {
	session.calls.mu.Unlock()
	if fx := session.transition(eventClose, err); fx.has(effectEnd) {
		session.notifyClosed()
	}
}

// attach gives a new session its WebSocket, and reports whether the session is still open. It
// queues the handshake's response and the open packet, which leave in one write together with what
// Opened sends.
func (s *Session) attach(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transitionLocked(eventAttach, nil)
	if s.life.state() != stateWebSocket {
		return false
	}
	c.session = s
	s.conn = c
	first := c.takeHandshake()
	if s.protocol != Raw {
		first = appendFrame(first, frameText, "", s.server.openPacket(s.id, s.protocol, transportWebSocket))
	}
	s.pushLocked(prepareFrames(first), 1)
	s.wakeWriterLocked()
	return true
}

// run serves a session on a WebSocket until the connection ends. This goroutine waits for input,
// and readers handle it. Where waiting without reading is not possible, as through TLS, it does
// both.
func (s *Session) run(c *conn, isNew bool) {
	if c.rawConn == nil {
		if isNew {
			s.notifyOpened()
		}
		for s.read(c) {
		}
		return
	}
	more := !isNew || s.server.readers.do(readJob{s, c, true})
	for more {
		if !c.hasInput() {
			c.returnBuffer()
			c.awaitInput()
		}
		more = s.server.readers.do(readJob{s, c, false})
	}
}

// read handles what has come, and waits where that is nothing or part of a message. It reports
// whether the connection goes on.
func (s *Session) read(c *conn) bool {
	for {
		taken, err := c.takeControl()
		if taken && err == nil {
			if !c.hasInput() {
				return true
			}
			continue
		}
		var m *messageBuffer
		var binary bool
		if err == nil {
			m, binary, err = c.read()
		}
		if err == nil {
			err = s.receive(m.b, binary)
			m.release()
		}
		if err != nil {
			s.stopReading(c, err)
			return false
		}
		if !c.hasInput() {
			return true
		}
	}
}

var errTextUTF8 = protocolError(closeInvalidData, "invalid UTF-8")

// receive handles a WebSocket message.
func (s *Session) receive(b []byte, binary bool) error {
	if !binary && !utf8.Valid(b) {
		return errTextUTF8 // RFC 6455 section 8.1
	}
	s.countFrame()
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
	case !binary && s.protocol == V3:
		return parseTextV3(b)
	case !binary:
		return parsePolled(b) // forceBase64 sends binary messages as polling does
	case s.protocol == V3:
		return parseBinaryV3(b)
	}
	return packet{kind: packetMessage, binary: true, data: b}, nil
}

var errHeartbeatDirection = protocolError(closePolicyViolation, "heartbeat in the wrong direction")

// handle does what a packet asks for. Engine.IO v4, "Packet types"; v3 for the heartbeat's other
// direction.
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
	default: // the server sends open; upgrade is for a probing WebSocket
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
