package engineio

import (
	"net/http"
	"time"
)

const probeData = "probe"

var errSecondWebSocket = protocolError(closePolicyViolation, "session has another WebSocket")

// serveProbe accepts a WebSocket that wants to take over a polling session. Engine.IO v4,
// "Upgrade": the client probes with a ping, and sends the upgrade packet when its last poll was
// answered. If anything else happens, the session stays with polling.
func (s *Session) serveProbe(w http.ResponseWriter, r *http.Request) *httpError {
	if r.Method != http.MethodGet {
		return errBadRequest
	}
	if !s.server.enter() {
		return errUnavailable
	}
	defer s.server.running.Done()
	c, err := s.server.acceptWebSocket(w, r)
	if err != nil { // and answered
		return nil
	}
	s.server.goWith(c, func() { s.readProbe(c) })
	return nil
}

func (s *Session) readProbe(c *conn) {
	if !s.startProbe(c) {
		c.refuse(s.server.options.CloseTimeout, errSecondWebSocket)
		return
	}
	if _, err := c.Conn.Write(c.takeHandshake()); err != nil || !s.answerProbe(c) || !s.awaitUpgrade(c) {
		s.abandonProbe(c)
		return
	}
	s.run(c, false)
}

// startProbe lets c probe, and reports whether it may: one WebSocket at a time may, and none after
// one has taken over.
func (s *Session) startProbe(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.state() != statePolling {
		return false
	}
	s.transitionLocked(eventProbe, nil)
	s.probing = c
	_ = c.Conn.SetDeadline(time.Now().Add(s.server.options.UpgradeTimeout)) // effectHurryProbe shortens it
	return true
}

// answerProbe answers the probe, and the waiting poll with a noop.
func (s *Session) answerProbe(c *conn) bool {
	p, err := s.readPacket(c)
	if err != nil || p != packetPing {
		return false
	}
	if _, err := c.Conn.Write(appendFrame(nil, frameText, string(packetPong)+probeData, nil)); err != nil {
		return false
	}
	s.releasePoll()
	return true
}

// awaitUpgrade waits for the upgrade packet, by which the session moves.
func (s *Session) awaitUpgrade(c *conn) bool {
	p, err := s.readPacket(c)
	return err == nil && p == packetUpgrade && s.move(c)
}

// readPacket reads one packet of an upgrade: the probe or the upgrade packet.
func (s *Session) readPacket(c *conn) (packetType, error) {
	m, binary, err := c.read()
	if err != nil {
		return 0, err
	}
	defer m.release()
	p, err := s.parse(m.b, binary)
	if err != nil {
		return 0, err
	}
	if p.kind == packetPing && string(p.data) != probeData {
		return 0, errPacketType
	}
	return p.kind, nil
}

// move puts the session on the WebSocket, where what waits is written now. A poll that still waits
// is refused: its client did not wait for the answer. move reports false when the session has ended
// since the probe.
func (s *Session) move(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transitionLocked(eventUpgrade, nil)
	if s.life.state() != stateWebSocket {
		return false
	}
	_ = c.Conn.SetDeadline(time.Time{})
	c.session = s
	s.probing = nil
	s.conn = c
	if p := s.polling.poll; p != nil {
		p.answer = answerSuperseded
		p.wake()
		s.polling.poll = nil
	}
	if s.output.queue != nil {
		s.wakeWriterLocked()
	}
	return true
}

func (s *Session) abandonProbe(c *conn) {
	s.mu.Lock()
	s.transitionLocked(eventProbeFailed, nil)
	s.probing = nil
	s.mu.Unlock()
	_ = c.Conn.Close()
}
