package management

import (
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/emulator/broker"
)

// kind is the kind of resource that a path names.
type kind int

const (
	entity           kind = iota // a queue or a topic
	queueList                    // /$Resources/Queues
	topicList                    // /$Resources/Topics
	namespaceInfo                // /$namespaceinfo
	subscription                 // /topic/Subscriptions/name
	subscriptionList             // /topic/Subscriptions
	rule                         // /topic/Subscriptions/name/Rules/name, where the last name may be missing
	root                         // /
	nothing                      // no resource of the API
)

// resource is a parsed path.
type resource struct {
	kind                       kind
	entity, subscription, rule string
}

// parsePath parses a path. The keywords of the API match in any letter case; the name of an entity may contain slashes.
func parsePath(path string) resource {
	path = strings.TrimPrefix(path, "/")
	trimmed := strings.TrimSuffix(path, "/")
	switch strings.ToLower(trimmed) {
	case "":
		return resource{kind: root}
	case "$resources/queues":
		return resource{kind: queueList}
	case "$resources/topics":
		return resource{kind: topicList}
	case "$namespaceinfo":
		return resource{kind: namespaceInfo}
	}
	segments := strings.Split(trimmed, "/")
	at := -1
	for i, s := range segments {
		if i > 0 && strings.EqualFold(s, "subscriptions") {
			at = i
			break
		}
	}
	if at < 0 {
		if strings.HasPrefix(trimmed, "$") || isDataPlane(segments) {
			return resource{kind: nothing}
		}
		return resource{kind: entity, entity: trimmed}
	}
	p := resource{entity: strings.Join(segments[:at], "/")}
	switch rest := segments[at+1:]; {
	case len(rest) == 0:
		p.kind = subscriptionList
	case len(rest) == 1:
		p.kind, p.subscription = subscription, rest[0]
	case len(rest) <= 3 && strings.EqualFold(rest[1], "rules"):
		p.kind, p.subscription = rule, rest[0]
		if len(rest) == 3 {
			p.rule = rest[2]
		}
	default:
		p.kind = nothing
	}
	return p
}

// isDataPlane reports whether a path belongs to sending and receiving over HTTP: "/queue/messages",
// "/queue/messages/head".
func isDataPlane(segments []string) bool {
	last := len(segments) - 1
	return last > 0 && (strings.EqualFold(segments[last], "messages") || last > 1 &&
		strings.EqualFold(segments[last-1], "messages"))
}

// path returns the path without the keywords of lists, which is the scope that tokens name.
func (p resource) path() string {
	switch p.kind {
	case subscription, subscriptionList, rule:
		if p.subscription == "" {
			return p.entity
		}
		return p.entity + "/Subscriptions/" + p.subscription
	}
	return p.entity
}

// request is one request being served.
type request struct {
	*http.Request
	handler  *Handler
	resource resource
}

// answer is a successful response.
type answer struct {
	status      int
	contentType string
	body        []byte
}

var errMethod = &broker.Error{Code: broker.CodeNotImplemented, Text: "SubCode=40500. The method is not allowed here."}

func (r *request) serve(body io.Reader) (answer, error) {
	if err := r.authorize(); err != nil {
		return answer{}, err
	}
	if err := r.broker().ChargeManagement(); err != nil {
		return answer{}, err
	}
	switch r.resource.kind {
	case entity:
		return r.serveEntity(body)
	case queueList:
		return r.queues().list(r)
	case topicList:
		return r.topics().list(r)
	case root:
		if r.Method == http.MethodGet {
			return r.publiclyListed(), nil
		}
	case namespaceInfo:
		return r.describeNamespace()
	case subscription:
		return r.subscriptions().serve(r, r.resource.subscription, body)
	case subscriptionList:
		return r.subscriptions().list(r)
	case rule:
		if r.Method == http.MethodGet && r.resource.rule == "" {
			return r.rules().list(r)
		}
		return r.rules().serve(r, r.resource.rule, body)
	}
	return answer{}, &broker.Error{Code: broker.CodeNotImplemented,
		Text: "This path is not implemented by this emulator."}
}

func (r *request) broker() *broker.Broker { return r.handler.broker }

// serveEntity serves a queue or a topic. The body of a PUT or the existing entity determines which.
func (r *request) serveEntity(body io.Reader) (answer, error) {
	name := r.resource.entity
	if r.Method == http.MethodPut {
		content, err := readEntry(body)
		switch {
		case err != nil:
			return answer{}, err
		case content.Queue != nil:
			return r.queues().put(r, content)
		case content.Topic != nil:
			return r.topics().put(r, content)
		}
		return answer{}, badRequest("The body contains neither a QueueDescription nor a TopicDescription.")
	}
	if _, err := r.broker().Queue(name); err == nil {
		return r.queues().serve(r, name, body)
	}
	if _, err := r.broker().Topic(name); err == nil || r.Method != http.MethodGet {
		return r.topics().serve(r, name, body)
	}
	return r.publiclyListed(), nil
}

// updates reports whether a PUT updates an existing resource instead of creating one.
func (r *request) updates() bool { return r.Header.Get("If-Match") != "" }

// readEntry reads the content of an ATOM entry.
func readEntry(body io.Reader) (content, error) {
	var e struct {
		XMLName xml.Name `xml:"entry"`
		Content content  `xml:"content"`
	}
	data, err := io.ReadAll(body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return content{}, badRequest("The body of the request has more than %d bytes.", tooLarge.Limit)
	}
	if err != nil {
		return content{}, badRequest("The body of the request could not be read: %v.", err)
	}
	if err := xml.Unmarshal(data, &e); err != nil {
		return content{}, badRequest("The body of the request is not a valid ATOM entry: %v.", err)
	}
	return e.Content, nil
}

func badRequest(format string, args ...any) error {
	return &broker.Error{Code: broker.CodeInvalidArgument, Text: fmt.Sprintf(format, args...)}
}

// Page sizes of lists. The service returns 100 entries by default.
const (
	defaultPage = 100
	maxPage     = 1000
)

// page returns which of n entries to list according to $skip and $top, and the query of the next page if there is one.
func (r *request) page(n int) (from, to int, next string, err error) {
	query := r.URL.Query()
	skip, err := count(query, "$skip", 0)
	if err != nil {
		return 0, 0, "", err
	}
	top, err := count(query, "$top", defaultPage)
	if err != nil {
		return 0, 0, "", err
	}
	from = min(skip, n)
	to = min(from+min(top, maxPage), n)
	if to == n || top == 0 {
		return from, to, "", nil
	}
	more := url.Values{"$skip": {strconv.Itoa(to)}, "$top": {strconv.Itoa(top)}}
	if version := query.Get("api-version"); version != "" {
		more.Set("api-version", version)
	}
	return from, to, more.Encode(), nil
}

func count(query url.Values, key string, absent int) (int, error) {
	text := query.Get(key)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, badRequest("The value '%.20s' of %s is not a number of entries.", text, key)
	}
	return n, nil
}

// baseURL returns the address of the namespace as the client wrote it.
func (r *request) baseURL() string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + "/"
}

// statusOf returns the HTTP status for an error.
func statusOf(code broker.Code) int {
	switch code {
	case broker.CodeNotFound, broker.CodeMessageNotFound:
		return http.StatusNotFound
	case broker.CodeAlreadyExists, broker.CodeConflict:
		return http.StatusConflict
	case broker.CodeInvalidArgument, broker.CodeArgumentOutOfRange, broker.CodeNotAllowed:
		return http.StatusBadRequest
	case broker.CodeUnauthorized:
		return http.StatusUnauthorized
	case broker.CodeQuotaExceeded, broker.CodeEntityDisabled:
		return http.StatusForbidden
	case broker.CodeNotImplemented:
		return http.StatusNotImplemented
	case broker.CodeServerBusy:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// writeError writes an error in the form of the service.
func (r *request) writeError(w http.ResponseWriter, err error) {
	status := statusOf(broker.CodeOf(err))
	if errors.Is(err, errMethod) {
		status = http.StatusMethodNotAllowed
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // does not fail
	trace := fmt.Sprintf(" TrackingId:%x-%x-%x-%x-%x_G0, SystemTracker:%s:%s, Timestamp:%s", id[:4], id[4:6], id[6:8],
		id[8:10], id[10:],
		r.broker().Namespace(), r.resource.path(), time.Now().UTC().Format("2006-01-02T15:04:05"))
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(status)
	// an error means that the client has gone
	_, _ = fmt.Fprintf(w, "<Error><Code>%d</Code><Detail>%s</Detail></Error>", status, escape(err.Error()+trace))
}
