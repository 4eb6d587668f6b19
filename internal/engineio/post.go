package engineio

import (
	"errors"
	"io"
	"net/http"
	"time"
	"unicode/utf8"
)

var (
	errPostsRaced  = protocolError(closePolicyViolation, "two posts at a time")
	errPostContent = protocolError(closePolicyViolation, "invalid content")
	errPostUTF8    = protocolError(closeInvalidData, "invalid UTF-8")
	errPostTooBig  = protocolError(closeTooBig, "payload too big")
)

// servePost handles all packets of a POST before it answers it. Engine.IO v4, "HTTP long-polling".
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
	s.polling.posting = false
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
	_, _ = io.WriteString(w, "ok") // a client that does not receive it will make another request
	return nil
}

func (s *Session) startPost() *httpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.life.state()
	switch {
	case state.over():
		return errUnknownSID
	case !state.polls():
		return errBadRequest
	case s.polling.posting:
		if fx := s.transitionLocked(eventCloseUnheard, errPostsRaced); fx.has(effectEnd) {
			s.server.running.Go(s.notifyClosed)
		}
		return errBadRequest
	}
	s.polling.posting = true
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
	if err := s.charge(len(body)); err != nil {
		return err
	}
	if s.protocol == V3 {
		return s.handlePackets(packetsV3(body, binary))
	}
	return s.handlePackets(packets(body))
}

func (s *Session) handlePackets(packets func(func(packet, error) bool)) (err error) {
	for p, parseErr := range packets {
		s.countFrame()
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
