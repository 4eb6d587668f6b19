package engineio

// Local is the client's end of a session whose client is in the same process, for simulations. Nothing is encoded and
// no goroutine stands between the two: what the client sends is handled before Send returns, and what it is sent
// waits until Take. A Local is for one goroutine.
type Local struct {
	session *Session
	taken   []Message // room for what Take returns
}

// OpenLocal opens a session of a client in this process. Like one by long-polling it keeps what the client is sent
// until the client takes it; but it has no heartbeat. After Shutdown OpenLocal returns ErrClosed.
func (s *Server) OpenLocal(p Protocol) (*Local, error) {
	session := &Session{server: s, id: newSID(), protocol: p, handshake: Handshake{rawQuery: "connect"}}
	session.life.current.Store(uint32(statePolling))
	session.heartbeat.slot = -1
	session.calls.mu.Lock()
	if err := s.register(session); err != nil {
		session.calls.mu.Unlock()
		return nil, ErrClosed
	}
	session.notifyOpened()
	return &Local{session: session}, nil
}

// Send has a message of the client handled. A session that is over ignores it.
func (l *Local) Send(m Message) { l.session.deliver(m) }

// Take returns the messages that the client was sent since the last call, and whether the session is over. The list is
// valid until the next call. The data of the messages is shared with other sessions and must not be modified.
func (l *Local) Take() (messages []Message, over bool) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	messages = l.taken[:0]
	if q := s.output.queue; q != nil {
		for _, p := range q.items {
			messages = append(messages, p.messages...)
		}
		l.taken = messages
		s.dropQueueLocked()
	}
	if s.life.over() {
		s.transitionLocked(eventLastPacket, nil)
		return messages, true
	}
	return messages, false
}

// Lose ends the session as a lost connection does. Handler.Closed is called before it returns.
func (l *Local) Lose() {
	if fx := l.session.transition(l.session.closeEvent(ErrTransportClosed), ErrTransportClosed); fx.has(effectEnd) {
		l.session.notifyClosed()
	}
	l.session.transition(eventLastPacket, nil)
}
