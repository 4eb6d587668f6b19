package emulator

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

// messagesPath is a parsed path of the data plane over HTTP ("Service Bus REST API", "Run-time operations"):
//
//	POST   /queue/messages            sends one message, or a batch
//	POST   /queue/messages/head       receives a message under a lock
//	DELETE /queue/messages/head       receives and deletes a message
//	POST   /queue/messages/id/lock    renews the lock
//	PUT    /queue/messages/id/lock    unlocks the message
//	DELETE /queue/messages/id/lock    completes the message
type messagesPath struct {
	entity string // a queue, topic, subscription or subqueue
	head   bool
	id     string // message id or sequence number; with lock
	lock   string
}

// parseMessagesPath parses the path of a request. It reports false for a path of the management API.
func parseMessagesPath(method, path string) (messagesPath, bool) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	at := func(fromEnd int) bool {
		i := len(segments) - fromEnd
		return i > 0 && strings.EqualFold(segments[i], "messages")
	}
	last := len(segments) - 1
	switch {
	case method == http.MethodPost && at(1):
		return messagesPath{entity: strings.Join(segments[:last], "/")}, true
	case at(2) && strings.EqualFold(segments[last], "head"):
		return messagesPath{entity: strings.Join(segments[:last-1], "/"), head: true}, true
	case at(3):
		return messagesPath{entity: strings.Join(segments[:last-2], "/"), id: segments[last-1], lock: segments[last]},
			true
	}
	return messagesPath{}, false
}

// maxHTTPWait bounds how long a request may wait for a message; it is also the default.
const maxHTTPWait = time.Minute

// serveMessages serves a request of the data plane.
func (s *Server) serveMessages(w http.ResponseWriter, r *http.Request, p messagesPath) {
	err := s.performMessages(w, r, p)
	if err == nil {
		return
	}
	s.log.Debug("HTTP request refused", "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "err", err)
	status := messagesStatus(err)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "%d %s", status, err) // an error means that the client has gone
}

func (s *Server) performMessages(w http.ResponseWriter, r *http.Request, p messagesPath) error {
	b := s.Broker()
	send := !p.head && p.lock == ""
	needs, claim := broker.Listen, "Listen"
	if send {
		needs, claim = broker.Send, "Send"
	}
	if err := authorizeMessages(b, r.Header.Get("Authorization"), p.entity, needs, claim); err != nil {
		return err
	}
	if s.faults.busy(time.Now()) {
		return errBusy()
	}
	switch {
	case send:
		return sendOverHTTP(b, w, r, p.entity)
	case p.head && (r.Method == http.MethodPost || r.Method == http.MethodDelete):
		return receiveOverHTTP(b, w, r, p.entity)
	case p.lock != "" && (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodDelete):
		return settleOverHTTP(b, w, r.Method, p)
	}
	return errMethodNotAllowed
}

var errMethodNotAllowed = errors.New("the method is not allowed here")

// authorizeMessages checks the token of a request, which must give a right for the entity.
func authorizeMessages(b *broker.Broker, token, entity string, needs broker.Claims, claim string) error {
	if token == "" {
		return &broker.Error{Code: broker.CodeUnauthorized,
			Text: "MissingToken: The request has no Authorization header."}
	}
	var access broker.Access
	var err error
	if _, jwt, ok := strings.Cut(token, "Bearer "); ok {
		token = jwt
	}
	if strings.HasPrefix(token, "SharedAccessSignature") {
		access, err = b.VerifySAS(token, entity)
	} else {
		access, err = b.VerifyJWT(token)
	}
	if err == nil && !access.Claims.Has(needs) {
		err = &broker.Error{Code: broker.CodeUnauthorized, Text: errUnauthorized(claim).Description}
	}
	return err
}

// messagesStatus returns the HTTP status for an error, as the REST reference lists them.
func messagesStatus(err error) int {
	if errors.Is(err, errMethodNotAllowed) {
		return http.StatusMethodNotAllowed
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return http.StatusRequestEntityTooLarge
	}
	wire := toWireError(err)
	switch wire.Condition {
	case condServerBusy:
		return http.StatusServiceUnavailable
	case condArgumentError, condArgumentOutOfRange:
		return http.StatusBadRequest
	}
	switch broker.CodeOf(err) {
	case broker.CodeNotFound, broker.CodeDetached:
		return http.StatusGone
	case broker.CodeUnauthorized:
		return http.StatusUnauthorized
	case broker.CodeQuotaExceeded, broker.CodeEntityDisabled:
		return http.StatusForbidden
	case broker.CodeMessageTooLarge, broker.CodePropertiesTooLarge:
		return http.StatusRequestEntityTooLarge
	case broker.CodeLockLost, broker.CodeMessageNotFound:
		return http.StatusNotFound
	case broker.CodeNotAllowed:
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// batchType is the content type of a batch.
const batchType = "application/vnd.microsoft.servicebus.json"

func sendOverHTTP(b *broker.Broker, w http.ResponseWriter, r *http.Request, entity string) error {
	target, err := b.Target(entity)
	if err != nil {
		return err
	}
	limit := int64(max(target.MaxMessageSize(), target.MaxBatchSize()))
	const coding = 2 // JSON needs more bytes than the messages have
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, coding*limit+maxPropertyBytes))
	if err != nil {
		return err
	}
	var msgs []*broker.Message
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == batchType {
		msgs, err = batchFromJSON(body, limit)
		if err != nil {
			return err
		}
	} else {
		m, err := messageFromHTTP(r.Header, body)
		if err != nil {
			return err
		}
		msgs = []*broker.Message{m}
	}
	if err := target.Send(msgs); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// receiveOverHTTP waits for a message. POST locks it, DELETE deletes it.
func receiveOverHTTP(b *broker.Broker, w http.ResponseWriter, r *http.Request, entity string) error {
	wait, err := httpWait(r.URL.Query())
	if err != nil {
		return err
	}
	source, err := b.Source(entity)
	if err != nil {
		return err
	}
	woken := make(chan struct{}, 1)
	options := broker.ReceiverOptions{Mode: broker.PeekLock, Wake: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}}
	status := http.StatusCreated
	if r.Method == http.MethodDelete {
		options.Mode, status = broker.ReceiveAndDelete, http.StatusOK
	}
	receiver, err := source.NewReceiver(options)
	if err != nil {
		return err
	}
	defer receiver.Close()
	if err := receiver.SetCredit(1); err != nil {
		return err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var got [1]broker.Delivery
	for receiver.Take(got[:]) == 0 {
		select {
		case <-woken:
			if err := receiver.Err(); err != nil {
				return err
			}
		case <-timer.C:
			w.WriteHeader(http.StatusNoContent)
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
	d := &got[0]
	if d.LockToken != (broker.UUID{}) {
		w.Header().Set("Location", fmt.Sprintf("%s://%s/%s/messages/%d/%s", schemeOf(r), r.Host,
			(&url.URL{Path: source.Path()}).EscapedPath(), d.SequenceNumber, d.LockToken))
	}
	body := writeMessageHeaders(w.Header(), d)
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone; the lock expires
	return nil
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// httpWait reads the parameter timeout, in seconds.
func httpWait(query url.Values) (time.Duration, error) {
	text := query.Get("timeout")
	if text == "" {
		return maxHTTPWait, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0) {
		return 0, &broker.Error{Code: broker.CodeInvalidArgument,
			Text: fmt.Sprintf("The timeout '%.20s' is not a number of seconds.", text)}
	}
	return time.Duration(min(seconds, maxHTTPWait.Seconds()) * float64(time.Second)), nil
}

// settleOverHTTP renews a lock, unlocks a message or completes it. Only the lock token identifies the message.
func settleOverHTTP(b *broker.Broker, w http.ResponseWriter, method string, p messagesPath) error {
	source, err := b.Source(p.entity)
	if err != nil {
		return err
	}
	token, err := broker.ParseUUID(p.lock)
	if err != nil {
		return err
	}
	switch method {
	case http.MethodPost:
		_, err = source.Renew([]broker.UUID{token})
	case http.MethodPut:
		err = source.Settle(token, broker.Settlement{Outcome: broker.Abandon})
	default:
		err = source.Settle(token, broker.Settlement{Outcome: broker.Complete})
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
