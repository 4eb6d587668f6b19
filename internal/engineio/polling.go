package engineio

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// poll is a GET that waits for something to tell its client.
type poll struct {
	ready chan struct{} // size 1: a wake-up that need not wait for the poll to be there
	noop  bool          // guarded by Session.mu: answer with a noop, as a WebSocket is taking over
	gone  bool          // guarded by Session.mu: a WebSocket has taken over; the poll is a mistake
}

func (p *poll) wake() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// openPolling opens a session by its first GET. The open packet and what the handler sends at once make the answer.
func (s *Server) openPolling(w http.ResponseWriter, r *http.Request, protocol Protocol, base64Only bool) *httpError {
	session, refusal := s.newSession(protocol, polling, newHandshake(r, &s.options))
	if refusal != nil {
		return refusal
	}
	session.base64Only = base64Only
	session.open()
	session.mu.Lock()
	q := session.queue
	session.queue, session.queued = nil, 0
	session.mu.Unlock()
	session.writePayload(w, s.openPacket(session.id, protocol, polling), q, 0)
	return nil
}

// servePoll answers a GET as soon as there is something to tell. Engine.IO v4, "HTTP long-polling".
func (s *Session) servePoll(w http.ResponseWriter, r *http.Request) *httpError {
	p, refusal := s.startPoll()
	if refusal != nil {
		return refusal
	}
	q, last, refusal := s.await(p, r)
	if refusal != nil {
		return refusal
	}
	s.writePayload(w, nil, q, last)
	return nil
}

// startPoll makes the request the one that waits. A second one at the same time ends the session: its client has lost count, and
// would lose messages next.
func (s *Session) startPoll() (*poll, *httpError) {
	s.mu.Lock()
	if s.transport != polling {
		s.mu.Unlock()
		return nil, errBadRequest
	}
	if s.poll != nil {
		ended := s.closeLocked(&ProtocolError{Code: closePolicyViolation, Reason: "two polls at a time"})
		s.last = packetClose
		s.mu.Unlock()
		if ended {
			s.server.running.Go(s.finish)
		}
		return nil, errBadRequest
	}
	p := &poll{ready: make(chan struct{}, 1)}
	s.poll = p
	if s.queue != nil || s.over.Load() {
		p.wake()
	}
	s.mu.Unlock()
	return p, nil
}

// probeGrace is how long a poll may wait that arrives while a WebSocket is taking over. The client's poll is let go when it
// probes; one that comes later was already on its way, or the client does not wait for it and is about to be done.
const probeGrace = 50 * time.Millisecond

// await waits until the poll can be answered, and takes what there is to answer.
func (s *Session) await(p *poll, r *http.Request) (*queue, packetType, *httpError) {
	var grace <-chan time.Time
	s.mu.Lock()
	if s.probing != nil {
		timer := time.NewTimer(probeGrace)
		defer timer.Stop()
		grace = timer.C
	}
	s.mu.Unlock()
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

// abandonPoll forgets a poll whose client has given it up; false where a WebSocket has taken over, and nothing hangs on the poll.
func (s *Session) abandonPoll(p *poll) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.gone {
		return false
	}
	s.poll = nil
	return true
}

// takePoll takes what the poll is to be answered with; done is false where it must wait on.
func (s *Session) takePoll(p *poll) (q *queue, last packetType, done bool, refusal *httpError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, s.queue = s.queue, nil
	over := s.over.Load()
	switch {
	case p.gone:
		q, s.queue = nil, q
		return nil, 0, true, errBadRequest
	case over && q == nil && s.last == 0:
		s.poll = nil
		return nil, 0, true, errUnknownSID
	case over && q != nil && s.last == packetClose:
		// The official client acts on a close at once and on the messages before it a tick later: it gets them alone, so that
		// a Socket.IO DISCONNECT among them is the reason it sees, and the close by its next poll.
	case over:
		last = s.last
		s.server.remove(s)
	case p.noop && q == nil:
		last = packetNoop
	case q == nil:
		return nil, 0, false, nil
	}
	s.queued = 0
	s.poll = nil
	return q, last, true, nil
}

// releasePoll answers a waiting poll with a noop, so that its client can go on upgrading.
func (s *Session) releasePoll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poll != nil {
		s.poll.noop = true
		s.poll.wake()
	}
}

// writePayload answers a GET with first, if any, what was queued, and the packet last, if any.
func (s *Session) writePayload(w http.ResponseWriter, first []byte, q *queue, last packetType) {
	e := payloadEncoder{protocol: s.protocol, base64Only: s.base64Only}
	if first != nil {
		e.add(packet{kind: packetType(first[0]), data: first[1:]})
	}
	if q != nil {
		e.addQueue(q)
		s.writer().count(q, len(e.b))
		q.release()
	}
	if last != 0 {
		e.add(packet{kind: last})
	}
	b, contentType := e.finish()
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(b)))
	header.Set("Cache-Control", "no-store")
	// Also where a WriteTimeout of the http.Server is over: the poll's time only starts here. net/http takes it back behind the response.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.server.options.RequestTimeout))
	if _, err := w.Write(b); err != nil {
		s.Close(&transportError{err})
	}
}

// payloadEncoder puts packets into one payload of the client's protocol.
type payloadEncoder struct {
	protocol   Protocol
	base64Only bool
	b          []byte
	packets    []packet // of protocol 3, whose form depends on all of them
}

func (e *payloadEncoder) add(p packet) {
	if e.protocol == V3 {
		e.packets = append(e.packets, p)
		return
	}
	if len(e.b) > 0 {
		e.b = append(e.b, recordSeparator)
	}
	e.b = appendPolled(e.b, p)
}

func (e *payloadEncoder) addQueue(q *queue) {
	for _, p := range q.items {
		if e.protocol == V3 {
			p.packets(func(p packet) bool { e.add(p); return true })
			continue
		}
		if len(e.b) > 0 {
			e.b = append(e.b, recordSeparator)
		}
		e.b = append(e.b, p.wire(formPayload)...)
	}
}

func (e *payloadEncoder) finish() (payload []byte, contentType string) {
	const text = "text/plain; charset=UTF-8"
	if e.protocol != V3 {
		return e.b, text
	}
	binary := false
	for _, p := range e.packets {
		binary = binary || p.binary
	}
	binary = binary && !e.base64Only
	for _, p := range e.packets {
		if binary {
			e.b = appendBinary3(e.b, p)
		} else {
			e.b = appendText3(e.b, p)
		}
	}
	if binary {
		return e.b, contentTypeBinary
	}
	return e.b, text
}

var (
	errPostsRaced  = protocolError(closePolicyViolation, "two posts at a time")
	errPostContent = protocolError(closePolicyViolation, "invalid content")
	errPostUTF8    = protocolError(closeInvalidData, "invalid UTF-8")
	errPostTooBig  = protocolError(closeTooBig, "payload too big")
)

// servePost takes the packets of a POST and handles them all before it is answered. Engine.IO v4, "HTTP long-polling".
func (s *Session) servePost(w http.ResponseWriter, r *http.Request) *httpError {
	if refusal := s.startPost(); refusal != nil {
		return refusal
	}
	deadline := time.Now().Add(s.server.options.RequestTimeout)
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(deadline)
	_ = controller.SetWriteDeadline(deadline)
	err := s.readPost(w, r)
	s.mu.Lock()
	s.posting = false
	s.mu.Unlock()
	switch {
	case err == nil:
	case errors.Is(err, errPostTooBig):
		s.Close(err)
		return errTooBig
	default:
		s.Close(err)
		return errBadRequest
	}
	header := w.Header()
	// text/html because some browsers offer text/plain for download, as the reference server notes.
	header.Set("Content-Type", "text/html")
	header.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok") // a client that does not hear it will know by its next request
	return nil
}

func (s *Session) startPost() *httpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over.Load():
		return errUnknownSID
	case s.transport != polling:
		return errBadRequest
	case s.posting:
		if s.closeLocked(errPostsRaced) {
			s.server.running.Go(s.finish)
		}
		return errBadRequest
	}
	s.posting = true
	return nil
}

func (s *Session) readPost(w http.ResponseWriter, r *http.Request) error {
	binary := r.Header.Get("Content-Type") == contentTypeBinary
	if binary && s.protocol == V4 {
		return errPostContent
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.server.options.MaxMessageSize)))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig):
		return errPostTooBig
	case err != nil:
		return &transportError{err}
	case !binary && !utf8.Valid(body):
		return errPostUTF8
	}
	if s.protocol == V3 {
		return s.handlePackets(packets3(body, binary))
	}
	return s.handlePackets(packets(body))
}

func (s *Session) handlePackets(packets func(func(packet, error) bool)) (err error) {
	for p, parseErr := range packets {
		if parseErr != nil {
			return parseErr
		}
		if err := s.handle(p); err != nil {
			if err == ErrClientClosed { // a close is no mistake: the POST is answered as any other
				s.Close(err)
				return nil
			}
			return err
		}
	}
	return nil
}
