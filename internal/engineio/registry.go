package engineio

import "chatapp/internal/allowance"

// register makes a session known by its sid, if the limits allow one more.
func (s *Server) register(session *Session) *httpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := ""
	if s.options.MaxSessionsPerAddress > 0 {
		address = session.handshake.Counted
	}
	account := s.options.Addresses.Open(session.handshake.Counted)
	if _, ok := account.Take(allowance.Connects, 1); !ok {
		account.Close()
		return errTooFast
	}
	if refusal := s.fullLocked(address); refusal != nil {
		account.Close()
		return refusal
	}
	session.usage.account = account
	if address != "" {
		s.addresses[address]++
	}
	s.sessions[session.id] = session
	session.shard = uint16(s.opened.Add(1) % uint64(len(s.writers)))
	s.running.Add(1) // until notifyClosed
	return nil
}

// fullLocked returns why no more sessions are opened for an address; nil if they are.
func (s *Server) fullLocked(address string) *httpError {
	switch {
	case s.state != serving, s.options.MaxSessions > 0 && len(s.sessions) >= s.options.MaxSessions:
		return errUnavailable
	case address != "" && s.addresses[address] >= s.options.MaxSessionsPerAddress:
		return errTooManySessions
	}
	return nil
}

// remove makes a session unknown, and then takes it out of the heartbeat. This order serves
// heartbeat.rescheduleOver.
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
	session.usage.account.Close()
	address := session.handshake.Counted
	if s.options.MaxSessionsPerAddress == 0 || address == "" {
		return
	}
	s.addresses[address]--
	if s.addresses[address] == 0 {
		delete(s.addresses, address)
	}
}

func (s *Server) known(session *Session) bool {
	return s.lookup(session.id) == session
}

func (s *Server) lookup(sid string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[sid]
}

// Connected returns the number of sessions that are open. Unlike Stats it takes the same time however
// many there are.
func (s *Server) Connected() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// all returns the known sessions, in no order.
func (s *Server) all() []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	sessions := make([]*Session, 0, len(s.sessions))
	for _, session := range s.sessions {
		sessions = append(sessions, session)
	}
	return sessions
}

func (s *Server) empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions) == 0
}
