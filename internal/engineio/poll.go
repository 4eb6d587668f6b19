package engineio

import (
	"net/http"
	"strconv"
	"time"
)

// pollingState is the part of a session that long-polling needs. Session.mu guards it.
type pollingState struct {
	poll    *poll  // the GET that waits
	abort   func() // fails the write of an answer; nil: there is none
	writing int32  // bytes that this answer counts for in the server's budget
	posting bool   // a POST is being read or handled
}

// poll is a GET that waits for something to answer.
type poll struct {
	ready  chan struct{} // size 1: a wake-up that need not wait for the poll
	answer pollAnswer    // guarded by Session.mu
}

// pollAnswer is what a poll is answered with.
type pollAnswer uint8

const (
	answerQueue      pollAnswer = iota // what the session sends; until then it waits
	answerNoop                         // the same, or a noop at once: a WebSocket is taking over
	answerSuperseded                   // a refusal: a WebSocket has taken over before the answer
)

func (p *poll) wake() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// openPolling opens a session by its first GET. It answers with the open packet and what Opened has
// sent.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request, protocol Protocol, base64Only bool) *httpError {
	session, refusal := s.newSession(protocol, statePolling, s.newHandshake(r))
	if refusal != nil {
		return refusal
	}
	session.base64Only = base64Only
	session.notifyOpened()
	session.mu.Lock()
	q := session.output.queue
	session.output.queue, session.output.size = nil, 0
	session.mu.Unlock()
	session.writePayload(w, s.openPacket(session.id, protocol, transportPolling), q, 0)
	return nil
}

// servePoll answers a GET as soon as the session has something to send. Engine.IO v4, "HTTP
// long-polling".
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) *httpError {
	p, refusal := s.startPoll()
	if refusal != nil {
		return refusal
	}
	q, last, refusal := s.awaitPoll(p, r)
	if refusal != nil {
		if q != nil {
			s.server.releaseQueue(q)
		}
		return refusal
	}
	s.writePayload(w, nil, q, last)
	return nil
}

var errPollsRaced = protocolError(closePolicyViolation, "two polls at a time")

// startPoll makes the request the one that waits. A second one at the same time ends the session:
// its client has lost count, and would lose messages next.
func (s *Session) startPoll() (*poll, *httpError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.life.state()
	if !state.polls() && state != stateLingering && state != stateClosed {
		return nil, errBadRequest
	}
	if s.polling.poll != nil {
		if fx := s.transitionLocked(eventCloseDropping, errPollsRaced); fx.has(effectEnd) {
			s.server.running.Go(s.notifyClosed)
		}
		return nil, errBadRequest
	}
	p := &poll{ready: make(chan struct{}, 1)}
	s.polling.poll = p
	if s.output.queue != nil || state.over() {
		p.wake()
	}
	return p, nil
}

// probeGrace is how long a poll may wait that arrives while a WebSocket is taking over. The probe
// has its client's poll answered; one that comes later was already on its way, or its client does
// not wait for it and is about to upgrade.
const probeGrace = 50 * time.Millisecond

// awaitPoll waits until the poll can be answered, and takes the answer.
func (s *Session) awaitPoll(p *poll, r *http.Request) (*queue, packetType, *httpError) {
	var grace <-chan time.Time
	if s.life.state() == stateUpgrading {
		timer := time.NewTimer(probeGrace)
		defer timer.Stop()
		grace = timer.C
	}
	for {
		select {
		case <-p.ready:
		case <-grace:
			s.releasePoll()
		case <-r.Context().Done():
			if s.abandonPoll(p) {
				s.Close(ErrTransportClosed) // Engine.IO v4: the client must not give up a poll
			}
			return nil, 0, errBadRequest
		}
		if q, last, done, refusal := s.takePoll(p); done {
			return q, last, refusal
		}
	}
}

// abandonPoll forgets a poll whose client has given it up. It reports whether the session depends
// on the poll: not after a WebSocket has taken over.
func (s *Session) abandonPoll(p *poll) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.answer == answerSuperseded {
		return false
	}
	s.polling.poll = nil
	return true
}

// takePoll takes the answer of a poll; done is false where the poll must wait on.
func (s *Session) takePoll(p *poll) (q *queue, last packetType, done bool, refusal *httpError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.answer == answerSuperseded {
		return nil, 0, true, errBadRequest
	}
	q, s.output.queue = s.output.queue, nil
	switch state := s.life.state(); {
	case state == stateLingering:
		last = lastPacket(s.life.reason)
		if q != nil && last == packetClose {
			// The official client acts on a close at once and on the messages before it a tick
			// later. It receives the messages alone, so that a Socket.IO DISCONNECT among them is
			// the reason it sees, and the close by its next poll.
			last = 0
			break
		}
		s.transitionLocked(eventLastPacket, nil)
		if q == nil && last == 0 {
			refusal = errUnknownSID
		}
	case state.over():
		refusal = errUnknownSID
	case q == nil && p.answer == answerNoop:
		last = packetNoop
	case q == nil:
		return nil, 0, false, nil
	}
	s.output.size = 0
	s.polling.poll = nil
	return q, last, true, refusal
}

// releasePoll answers a waiting poll with a noop, so that its client can go on upgrading.
func (s *Session) releasePoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.polling.poll != nil {
		s.polling.poll.answer = answerNoop
		s.polling.poll.wake()
	}
}

// writePayload answers a GET with the packet first, if any, the queue, and the packet last, if any.
func (s *Session) writePayload(w http.ResponseWriter, first []byte, q *queue, last packetType) {
	e := payloadEncoder{protocol: s.protocol, base64Only: s.base64Only}
	if first != nil {
		e.add(packet{kind: packetType(first[0]), data: first[1:]})
	}
	if q != nil {
		e.addQueue(q)
		s.writer().sent(q.messages(), len(e.b))
		defer s.server.releaseQueue(q)
	}
	if last != 0 {
		e.add(packet{kind: last})
	}
	b, contentType := e.finish()
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(b)))
	header.Set("Cache-Control", "no-store")
	// The time of a poll starts here, even where the http.Server's WriteTimeout is over. net/http
	// resets it after the response.
	controller := http.NewResponseController(w)
	_ = controller.SetWriteDeadline(time.Now().Add(s.server.options.RequestTimeout))
	s.writingPoll(len(b), func() { _ = controller.SetWriteDeadline(time.Now()) })
	defer s.writingPoll(0, nil)
	if _, err := w.Write(b); err != nil {
		s.Close(&transportError{err})
	}
}

// writingPoll notes what is being written in answer to a poll.
func (s *Session) writingPoll(size int, abort func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polling.writing, s.polling.abort = int32(size), abort
}
