package engineio

import (
	"errors"
	"time"

	"github.com/gorilla/websocket"
)

// Close ends the session with a reason, which [Handler.Closed] receives; nil stands for ErrClosed.
// The client still receives what was sent before. Close does not wait for that, never calls the
// handler itself, and does nothing on a closed session.
func (s *Session) Close(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	if fx := s.transition(s.closeEvent(reason), reason); fx.has(effectEnd) {
		s.server.running.Go(s.notifyClosed)
	}
}

// closeEvent is the event for closing with a reason. A polling client that made a mistake, fell
// silent or gave up its poll is not expected to poll again.
//
// Clients are to leave a server that shuts down, and connect to another one at once. Many take an
// Engine.IO close packet for the server's wish that they stay away (python-socketio, rust_socketio),
// and that of Java waits for a ping after a close frame until its time-out. All of them come back
// at once when the connection breaks, or when a poll is refused. A raw WebSocket gets a close frame.
func (s *Session) closeEvent(reason error) event {
	var mistake *ProtocolError
	switch {
	case errors.Is(reason, ErrServerClosed) && s.protocol != Raw:
		return eventRelease
	case errors.Is(reason, ErrClientClosed):
		return eventClose
	case errors.Is(reason, ErrSlowConsumer):
		return eventCloseDropping
	case errors.Is(reason, ErrPingTimeout), errors.Is(reason, ErrTransportClosed), errors.As(reason, &mistake):
		return eventCloseUnheard
	}
	return eventClose
}

// transition moves the session by an event. The caller sees to the effects that are left: effectEnd
// asks for one call of notifyClosed, and those on the connection for conn.perform.
func (s *Session) transition(e event, reason error) effects {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transitionLocked(e, reason)
}

func (s *Session) transitionLocked(e event, reason error) effects {
	current := s.life.state()
	next, fx := current.next(e)
	if next != current {
		s.life.current.Store(uint32(next))
	}
	if fx == 0 {
		return 0
	}
	if fx.has(effectEnd) {
		s.life.reason = reason
		if errors.Is(reason, ErrSlowConsumer) {
			s.server.slowConsumers.Add(1)
		}
	}
	if fx.has(effectDropQueue) {
		s.dropQueueLocked()
	}
	if fx.has(effectHurryProbe) {
		// The client may have ended polling already and wait to move. If the WebSocket were cut
		// now, the official client would stay between the two until its own ping time-out. So the
		// upgrade packet is awaited, and answered by closing.
		_ = s.probing.Conn.SetDeadline(time.Now().Add(s.server.options.CloseTimeout))
	}
	if fx.has(effectCloseFrame) {
		_ = s.conn.Conn.SetDeadline(time.Now().Add(s.server.options.CloseTimeout))
		s.pushLocked(prepareFrames(closeFrame(reason)), 1)
		s.wakeWriterLocked()
	}
	if fx.has(effectLastWrite) {
		_ = s.conn.Conn.SetDeadline(time.Now().Add(s.server.options.CloseTimeout))
		s.wakeWriterLocked()
	}
	if fx.has(effectForget) {
		s.server.remove(s)
	}
	if fx.has(effectLinger) {
		s.server.heartbeat.linger(s)
	}
	if fx.has(effectWakePoll) && s.polling.poll != nil {
		s.polling.poll.wake()
	}
	return fx
}

// perform does to the connection what a transition asks for. The caller holds no lock: closing a
// TLS connection writes, and may take seconds.
func (c *conn) perform(fx effects) {
	switch {
	case fx.has(effectHalfClose):
		c.closeWrite()
	case fx.has(effectCloseConn):
		_ = c.Conn.Close()
	case fx.has(effectAbort):
		c.abort()
	}
}

// lastPacket is the packet that ends a lingering session: a close, or, for a client that has closed
// by a POST itself, a noop that only answers its poll; 0 where the server shuts down, see
// closeEvent: the poll is refused.
func lastPacket(reason error) packetType {
	switch {
	case errors.Is(reason, ErrClientClosed):
		return packetNoop
	case errors.Is(reason, ErrServerClosed):
		return 0
	}
	return packetClose
}

// stopReading ends the session on a WebSocket, unless it is over already, and then the connection.
// After a mistake or a close packet the client is given time to read why. The reader calls it as
// the last thing.
func (s *Session) stopReading(c *conn, err error) {
	deadline := time.Now().Add(s.server.options.CloseTimeout)
	e := eventReadStopped
	if errors.Is(err, ErrTransportClosed) {
		e = eventConnectionLost
	}
	s.mu.Lock()
	fx := s.transitionLocked(e, err)
	if !s.output.busy {
		fx |= s.transitionLocked(eventQueueEmpty, nil)
	}
	s.mu.Unlock()
	if fx.has(effectEnd) {
		s.notifyClosed()
	}
	c.perform(fx)
	if e == eventReadStopped {
		c.awaitEOF(deadline)
		c.perform(s.transition(eventEOF, nil))
	}
}

// refuse sends a client whose WebSocket no session owns the reason, and closes the connection.
func (c *conn) refuse(timeout time.Duration, reason error) {
	deadline := time.Now().Add(timeout)
	_ = c.Conn.SetDeadline(deadline)
	if _, err := c.Conn.Write(append(c.takeHandshake(), closeFrame(reason)...)); err == nil {
		c.closeWrite()
		c.awaitEOF(deadline)
	}
	_ = c.Conn.Close()
}

// closeFrame is the close frame for a session's reason to end. A client's own close frame is
// answered with its code, RFC 6455 section 5.5.1.
func closeFrame(reason error) []byte {
	var received *websocket.CloseError
	if errors.As(reason, &received) {
		switch received.Code {
		case websocket.CloseNoStatusReceived: // never travels: the client's frame was empty
			return appendFrame(nil, frameClose, "", nil)
		case websocket.CloseAbnormalClosure: // never travels: the connection ended within a frame
		default:
			return appendCloseFrame(nil, received.Code, "")
		}
	}
	code, text := closeCode(reason)
	return appendCloseFrame(nil, code, text)
}
