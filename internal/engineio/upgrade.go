package engineio

import (
	"net/http"
	"time"
)

const probeData = "probe"

var errSecondWebSocket = protocolError(closePolicyViolation, "session has another WebSocket")

// probe takes a WebSocket that is to take over a polling session. Engine.IO v4, "Upgrade": the client probes with a ping, and
// sends the upgrade packet when its last poll has been answered. Whatever else happens the session stays with polling.
func (s *Session) probe(w http.ResponseWriter, r *http.Request) *httpError {
	if r.Method != http.MethodGet {
		return errBadRequest
	}
	if !s.server.enter() {
		return errUnavailable
	}
	defer s.server.running.Done()
	c, err := s.server.upgrade(w, r, s.protocol)
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

// startProbe makes c the one that may take over. Only one may try at a time, and none when one has succeeded.
func (s *Session) startProbe(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() || s.transport != polling || s.probing != nil {
		return false
	}
	s.probing = c
	_ = c.Conn.SetDeadline(time.Now().Add(s.server.options.UpgradeTimeout)) // which the session's end shortens
	return true
}

// answerProbe answers the probe, and lets the waiting poll go.
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

// readPacket reads one of the packets of an upgrade: the probe or the upgrade itself.
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

// move puts the session on the WebSocket: what waits now goes out there. A poll that is still waiting belongs to a client that
// did not wait for it, and is refused.
func (s *Session) move(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over.Load() || s.probing != c {
		return false
	}
	_ = c.Conn.SetDeadline(time.Time{})
	c.session = s
	s.probing = nil
	s.transport = webSocket
	s.conn = c
	if s.poll != nil {
		s.poll.gone = true
		s.poll.wake()
		s.poll = nil
	}
	if s.queue != nil {
		s.busy = true
		s.writer().add(s)
	}
	return true
}

func (s *Session) abandonProbe(c *conn) {
	s.mu.Lock()
	if s.probing == c {
		s.probing = nil
	}
	s.mu.Unlock()
	_ = c.Conn.Close()
}
