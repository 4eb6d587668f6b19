package broker

import (
	"container/list"
	"slices"
	"time"
)

// session is one session of an entity that requires sessions. It exists while it has messages, a state or a receiver.
type session struct {
	id           string
	backlog      backlog
	locks        lockList // its locked messages, whose locks end with the session's
	records      int      // messages in any state
	holder       *Receiver
	lockedUntil  int64
	lockElement  *list.Element // in sessions.locked while it has a holder
	offered      bool          // listed in sessions.available
	dispatchable bool          // listed in sessions.dispatchable
	state        []byte
	hasState     bool
	stateSet     int64 // when the state was last set
}

// sessions holds the sessions of one source, whose mutex guards them.
type sessions struct {
	byID         map[string]*session
	available    []*session // with messages and no receiver, oldest first; entries may be outdated
	dispatchable []*session // with a receiver that may get messages
	locked       list.List  // of *session, by the end of the lock
	acceptors    []*Receiver
}

func (ss *sessions) named(id string) *session {
	sess := ss.byID[id]
	if sess == nil {
		sess = &session{id: id}
		if ss.byID == nil {
			ss.byID = make(map[string]*session)
		}
		ss.byID[id] = sess
	}
	return sess
}

// forget drops a session that has neither messages nor state nor receiver.
func (ss *sessions) forget(sess *session) {
	if sess.records == 0 && sess.holder == nil && !sess.hasState && ss.byID[sess.id] == sess {
		delete(ss.byID, sess.id)
	}
}

// offer notes that a session has a message ready, for its receiver or for one that requests any session.
func (ss *sessions) offer(sess *session) {
	switch {
	case sess.holder != nil:
		ss.markDispatchable(sess)
	case !sess.offered:
		sess.offered = true
		ss.available = append(ss.available, sess)
	}
}

// markDispatchable notes that the receiver of a session may get messages.
func (ss *sessions) markDispatchable(sess *session) {
	if !sess.dispatchable {
		sess.dispatchable = true
		ss.dispatchable = append(ss.dispatchable, sess)
	}
}

// nextAvailable removes and returns the first available session that still has a message ready and no receiver.
func (ss *sessions) nextAvailable() *session {
	for len(ss.available) > 0 {
		sess := ss.available[0]
		ss.available[0] = nil
		ss.available = ss.available[1:]
		sess.offered = false
		if sess.holder == nil && sess.backlog.peek() != nil {
			return sess
		}
	}
	ss.available = nil
	return nil
}

func (ss *sessions) firstLocked() *session {
	if e := ss.locked.Front(); e != nil {
		return e.Value.(*session)
	}
	return nil
}

func (ss *sessions) nextEnd() int64 {
	if sess := ss.firstLocked(); sess != nil {
		return sess.lockedUntil
	}
	return 0
}

func (ss *sessions) firstEnding(now int64) *session {
	if sess := ss.firstLocked(); sess != nil && sess.lockedUntil <= now {
		return sess
	}
	return nil
}

// acceptLocked gives r the session it requests, or queues it until one is available.
func (s *Source) acceptLocked(r *Receiver, now int64) error {
	if r.options.Session.Next {
		s.sessions.acceptors = append(s.sessions.acceptors, r)
		return nil
	}
	if len(r.options.Session.ID) > maxIDLength {
		return errorf(CodeInvalidArgument, "The session id is longer than %d characters.", maxIDLength)
	}
	sess := s.sessions.named(r.options.Session.ID)
	if sess.holder != nil {
		return errorf(CodeSessionCannotBeLocked,
			"The requested session '%s' cannot be accepted. It may be locked by another receiver.", sess.id)
	}
	s.lockSessionLocked(sess, r, now)
	return nil
}

func (s *Source) lockSessionLocked(sess *session, r *Receiver, now int64) {
	sess.holder, r.session = r, sess
	sess.lockedUntil = addTime(now, s.settings.lockDuration)
	sess.lockElement = s.sessions.locked.PushBack(sess)
	s.sessions.markDispatchable(sess)
}

// releaseSessionLocked ends the lock of a session and those of its messages.
func (s *Source) releaseSessionLocked(sess *session, failed bool, now int64) {
	s.sessions.locked.Remove(sess.lockElement)
	sess.holder, sess.lockElement, sess.lockedUntil = nil, nil, 0
	for sess.locks.first != nil {
		s.requeueLocked(sess.locks.first, failed, now)
	}
	if sess.backlog.peek() != nil {
		s.sessions.offer(sess)
	}
	s.sessions.forget(sess)
}

// loseSessionLocked ends the expired lock of a session. It detaches the receiver and counts the deliveries as failed
// ("Message sessions", "Impact of delivery count").
func (s *Source) loseSessionLocked(sess *session, now int64) {
	r := sess.holder
	s.closeReceiverLocked(r, errSessionLockLost(), true, now)
	r.options.Wake()
}

func errSessionLockLost() *Error {
	return &Error{CodeSessionLockLost,
		"The session lock has expired on the MessageSession. Accept a new MessageSession."}
}

// dispatchSessionsLocked gives available sessions to waiting receivers, and messages to receivers with a session.
func (s *Source) dispatchSessionsLocked(now int64) {
	for len(s.sessions.acceptors) > 0 {
		sess := s.sessions.nextAvailable()
		if sess == nil {
			break
		}
		r := s.sessions.acceptors[0]
		s.sessions.acceptors = slices.Delete(s.sessions.acceptors, 0, 1)
		s.lockSessionLocked(sess, r, now)
		r.options.Wake()
	}
	for _, sess := range s.sessions.dispatchable {
		sess.dispatchable = false
		for sess.holder != nil && sess.holder.demandLocked() > 0 &&
			s.deliverNextLocked(&sess.backlog, sess.holder, now) {
		}
	}
	clear(s.sessions.dispatchable)
	s.sessions.dispatchable = s.sessions.dispatchable[:0]
}

// Session returns the session of the receiver and the end of its lock. It reports false while the receiver has none.
func (r *Receiver) Session() (id string, lockedUntil time.Time, accepted bool) {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	if r.session == nil {
		return "", time.Time{}, false
	}
	return r.session.id, unixTime(r.session.lockedUntil), true
}

// sessionForReceiverLocked returns the session with that id if a receiver holds its lock.
func (s *Source) sessionForReceiverLocked(id string, now int64) (*session, error) {
	if err := s.checkReceiveLocked(); err != nil {
		return nil, err
	}
	if !s.settings.requiresSession {
		return nil, errorf(CodeNotAllowed, "The entity '%s' does not require sessions.", s.path)
	}
	sess := s.sessions.byID[id]
	if sess == nil || sess.holder == nil || sess.lockedUntil <= now {
		return nil, errSessionLockLost()
	}
	s.activity.used(now)
	return sess, nil
}

// RenewSession extends the lock of a session and those of its messages, and returns the new end.
func (s *Source) RenewSession(id string) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	sess, err := s.sessionForReceiverLocked(id, now)
	if err != nil {
		return time.Time{}, err
	}
	sess.lockedUntil = addTime(now, s.settings.lockDuration)
	for rec := sess.locks.first; rec != nil; rec = rec.next {
		rec.lockedUntil = sess.lockedUntil
	}
	s.sessions.locked.MoveToBack(sess.lockElement)
	s.setTimerLocked(now)
	return unixTime(sess.lockedUntil), nil
}

// SessionState returns the state of a session, nil if it has none. A receiver must hold the session.
func (s *Source) SessionState(id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, err := s.sessionForReceiverLocked(id, s.broker.now())
	if err != nil {
		return nil, err
	}
	return sess.state, nil
}

// SetSessionState sets the state of a session; nil removes it. A receiver must hold the session. The state may be as
// large as a message and counts towards the size of the entity. The broker keeps state.
func (s *Source) SetSessionState(id string, state []byte) error {
	defer s.broker.begin().end()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	sess, err := s.sessionForReceiverLocked(id, now)
	if err != nil {
		return err
	}
	if limit := s.broker.options.Tier.maxMessageSize(); len(state) > limit {
		return errorf(CodeMessageTooLarge, "The session state has %d bytes; the limit is %d.", len(state), limit)
	}
	before := sess.stateSize()
	sess.state, sess.hasState, sess.stateSet = state, state != nil, now
	s.size.used.Add(sess.stateSize() - before)
	s.broker.changes.sessionState(s, sess)
	return nil
}

// stateOverhead is what a state counts towards the size of its entity in addition to its bytes.
const stateOverhead = 256

// stateSize returns what the session's state counts towards the size of its entity, in bytes.
func (sess *session) stateSize() int64 {
	if !sess.hasState {
		return 0
	}
	return int64(len(sess.state) + stateOverhead)
}

// Sessions returns sorted session ids: of the sessions whose state was set after the given time, or, for the zero time,
// of those that have messages or a state.
func (s *Source) Sessions(stateSetAfter time.Time) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkBrowseLocked(); err != nil {
		return nil, err
	}
	var ids []string
	for id, sess := range s.sessions.byID {
		if stateSetAfter.IsZero() && (sess.records > 0 || sess.hasState) || !stateSetAfter.IsZero() &&
			sess.hasState && sess.stateSet > instant(stateSetAfter) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
