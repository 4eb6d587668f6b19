package broker

import (
	"container/list"
	"slices"
	"time"
)

// session is what an entity that requires sessions keeps of one of them: it exists while it has messages, state or a
// receiver.
type session struct {
	id          string
	backlog     backlog
	locks       lockList // its locked messages; their locks end with the session's
	records     int      // in any place
	holder      *Receiver
	lockedUntil int64
	held        *list.Element // in sessions.held while it has a holder
	offered     bool          // stands in sessions.available
	hot         bool          // stands in sessions.hot
	state       []byte
	hasState    bool
	stateSet    int64 // when the state was last set
}

// sessions are those of one source; its mutex guards them.
type sessions struct {
	byID      map[string]*session
	available []*session // with messages and no receiver, oldest first; may hold some no longer so
	hot       []*session // with a receiver that may be due messages
	held      list.List  // of *session, by the end of their locks
	acceptors []*Receiver
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

// forget drops a session nothing refers to any more.
func (ss *sessions) forget(sess *session) {
	if sess.records == 0 && sess.holder == nil && !sess.hasState && ss.byID[sess.id] == sess {
		delete(ss.byID, sess.id)
	}
}

// offer notes that a session has a message ready, for its receiver or for one that asks for any session.
func (ss *sessions) offer(sess *session) {
	switch {
	case sess.holder != nil:
		ss.heat(sess)
	case !sess.offered:
		sess.offered = true
		ss.available = append(ss.available, sess)
	}
}

// heat notes that a session's receiver may be due messages.
func (ss *sessions) heat(sess *session) {
	if !sess.hot {
		sess.hot = true
		ss.hot = append(ss.hot, sess)
	}
}

// nextAvailable takes out the first session that still has a message ready and no receiver.
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

func (ss *sessions) firstHeld() *session {
	if e := ss.held.Front(); e != nil {
		return e.Value.(*session)
	}
	return nil
}

func (ss *sessions) nextEnd() int64 {
	if sess := ss.firstHeld(); sess != nil {
		return sess.lockedUntil
	}
	return 0
}

func (ss *sessions) firstEnding(now int64) *session {
	if sess := ss.firstHeld(); sess != nil && sess.lockedUntil <= now {
		return sess
	}
	return nil
}

// acceptLocked gives r the session it asks for, or queues it until one is free.
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
		return errorf(CodeSessionCannotBeLocked, "The requested session '%s' cannot be accepted. It may be locked by another receiver.", sess.id)
	}
	s.lockSessionLocked(sess, r, now)
	return nil
}

func (s *Source) lockSessionLocked(sess *session, r *Receiver, now int64) {
	sess.holder, r.session = r, sess
	sess.lockedUntil = addTime(now, s.settings.lockDuration)
	sess.held = s.sessions.held.PushBack(sess)
	s.sessions.heat(sess)
}

// releaseSessionLocked frees a session and all its locked messages.
func (s *Source) releaseSessionLocked(sess *session, failed bool, now int64) {
	s.sessions.held.Remove(sess.held)
	sess.holder, sess.held, sess.lockedUntil = nil, nil, 0
	for sess.locks.first != nil {
		s.giveBackLocked(sess.locks.first, failed, now)
	}
	if sess.backlog.peek() != nil {
		s.sessions.offer(sess)
	}
	s.sessions.forget(sess)
}

// loseSessionLocked ends a session's lock because its time is over: the receiver is detached, deliveries count as
// failed ("Message sessions", "Impact of delivery count").
func (s *Source) loseSessionLocked(sess *session, now int64) {
	r := sess.holder
	s.closeReceiverLocked(r, errSessionLockLost(), true, now)
	r.options.Wake()
}

func errSessionLockLost() *Error {
	return &Error{CodeSessionLockLost, "The session lock has expired on the MessageSession. Accept a new MessageSession."}
}

// dispatchSessionsLocked gives free sessions to receivers that wait for one, and messages to those that hold one.
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
	for _, sess := range s.sessions.hot {
		sess.hot = false
		for sess.holder != nil && sess.holder.demand() > 0 && s.handNextLocked(&sess.backlog, sess.holder, now) {
		}
	}
	clear(s.sessions.hot)
	s.sessions.hot = s.sessions.hot[:0]
}

// Session returns the session the receiver holds and when its lock ends. It reports false while none is accepted.
func (r *Receiver) Session() (id string, lockedUntil time.Time, accepted bool) {
	r.source.mu.Lock()
	defer r.source.mu.Unlock()
	if r.session == nil {
		return "", time.Time{}, false
	}
	return r.session.id, unixTime(r.session.lockedUntil), true
}

// heldLocked returns the session of that id if a receiver holds it.
func (s *Source) heldLocked(id string, now int64) (*session, error) {
	if s.closed != nil {
		return nil, s.closed
	}
	if !s.settings.requiresSession {
		return nil, errorf(CodeNotAllowed, "The entity '%s' does not require sessions.", s.path)
	}
	sess := s.sessions.byID[id]
	if sess == nil || sess.holder == nil || sess.lockedUntil <= now {
		return nil, errSessionLockLost()
	}
	s.life.used(now)
	return sess, nil
}

// RenewSession extends the lock of a session and returns its new end.
func (s *Source) RenewSession(id string) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	sess, err := s.heldLocked(id, now)
	if err != nil {
		return time.Time{}, err
	}
	sess.lockedUntil = addTime(now, s.settings.lockDuration)
	for rec := sess.locks.first; rec != nil; rec = rec.next {
		rec.lockedUntil = sess.lockedUntil
	}
	s.sessions.held.MoveToBack(sess.held)
	s.armLocked(now)
	return unixTime(sess.lockedUntil), nil
}

// SessionState returns the state of a session that a receiver holds; nil if it has none.
func (s *Source) SessionState(id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sess, err := s.heldLocked(id, s.broker.now())
	if err != nil {
		return nil, err
	}
	return sess.state, nil
}

// SetSessionState sets the state of a session that a receiver holds; nil takes it away. The state may have
// the size of a message, and counts towards the entity's.
func (s *Source) SetSessionState(id string, state []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.broker.now()
	sess, err := s.heldLocked(id, now)
	if err != nil {
		return err
	}
	if limit := s.broker.options.Tier.maxMessageSize(); len(state) > limit {
		return errorf(CodeMessageTooLarge, "The session state has %d bytes; the limit is %d.", len(state), limit)
	}
	before := sess.stateSize()
	sess.state, sess.hasState, sess.stateSet = state, state != nil, now
	s.account.used.Add(sess.stateSize() - before)
	return nil
}

// stateOverhead is what an empty state counts, so that no number of them is free.
const stateOverhead = 256

// stateSize is what the session's state counts towards the size of its entity.
func (sess *session) stateSize() int64 {
	if !sess.hasState {
		return 0
	}
	return int64(len(sess.state) + stateOverhead)
}

// Sessions lists the ids of sessions, sorted: those whose state was set after the given time, or, with the zero time,
// those that have messages or a state.
func (s *Source) Sessions(stateSetAfter time.Time) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed != nil {
		return nil, s.closed
	}
	var ids []string
	for id, sess := range s.sessions.byID {
		if stateSetAfter.IsZero() && (sess.records > 0 || sess.hasState) || !stateSetAfter.IsZero() && sess.hasState && sess.stateSet > instant(stateSetAfter) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
