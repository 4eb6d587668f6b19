package emulator

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"chatapp/internal/emulator/broker"
)

// The page shows the namespace in a browser, and serves the requests of the page, which need no key: the lists of hosts
// and origins keep other pages out, and nobody else may reach the port.
//
//	GET  /                            the page, for clients that accept HTML
//	GET  /$emulator/page/<file>       its script and style
//	GET  /$emulator/entities          all entities with their counts
//	GET  /$emulator/messages          a few messages of a source: ?path=queue&from=1&count=20
//	POST /$emulator/purge             {"path"} empties a queue, subscription or dead-letter queue
//	POST /$emulator/resubmit          {"path", "sequenceNumbers"} moves dead letters back; without numbers all
//	POST /$emulator/send              {"path", "body", "contentType", "properties", "brokerProperties"}
//	POST /reset                       empties all entities and keeps them

//go:embed page
var pageFiles embed.FS

func (s *Server) handlePage(mux *http.ServeMux) {
	files := http.StripPrefix(faultsPath, http.FileServerFS(pageFiles))
	mux.Handle("GET "+faultsPath+"/page/", files)
	mux.HandleFunc("GET "+faultsPath+"/entities", s.serveEntities)
	mux.HandleFunc("GET "+faultsPath+"/messages", s.servePeek)
	mux.HandleFunc("POST "+faultsPath+"/purge", s.command(func(c pageCommand) (any, error) {
		source, err := s.Broker().Source(c.Path)
		if err != nil {
			return nil, err
		}
		n, err := source.Purge()
		return map[string]int{"removed": n}, err
	}))
	mux.HandleFunc("POST "+faultsPath+"/resubmit", s.command(func(c pageCommand) (any, error) {
		source, err := s.Broker().Source(c.Path)
		if err != nil {
			return nil, err
		}
		n, err := source.Resubmit(c.SequenceNumbers)
		return map[string]int{"resubmitted": n}, err
	}))
	mux.HandleFunc("POST "+faultsPath+"/send", s.command(s.sendOne))
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Broker().Reset()
		w.WriteHeader(http.StatusNoContent)
	})
}

// wantsPage reports whether a request is that of a browser for the page.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// servePage serves the page. Its policy allows nothing from elsewhere, and no frame around it.
func servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy",
		"default-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	http.ServeFileFS(w, r, pageFiles, "page/page.html")
}

// entityState is one entity as the page shows it.
type entityState struct {
	Kind     string        `json:"kind"` // queue, topic or subscription
	Path     string        `json:"path"`
	Status   string        `json:"status"`
	Sessions bool          `json:"sessions,omitempty"`
	Counts   broker.Counts `json:"counts"`
}

func (s *Server) serveEntities(w http.ResponseWriter, _ *http.Request) {
	b := s.Broker()
	states := []entityState{}
	for _, q := range b.Queues() {
		states = append(states, entityState{"queue", q.Name, q.Status.String(), q.RequiresSession, q.Counts})
	}
	for _, t := range b.Topics() {
		states = append(states, entityState{"topic", t.Name, t.Status.String(), false, t.Counts})
		subscriptions, err := b.Subscriptions(t.Name)
		if err != nil { // the topic has just been deleted
			continue
		}
		for _, sub := range subscriptions {
			states = append(states, entityState{"subscription", sub.Topic + "/Subscriptions/" + sub.Name,
				sub.Status.String(), sub.RequiresSession, sub.Counts})
		}
	}
	writeJSON(w, struct {
		Namespace   string        `json:"namespace"`
		Connections int           `json:"connections"`
		Entities    []entityState `json:"entities"`
	}{b.Namespace(), s.Connections(), states})
}

// messageState is one message as the page shows it. A body or a property that is not text is in base64.
type messageState struct {
	SequenceNumber int64             `json:"sequenceNumber"`
	State          string            `json:"state"`
	Broker         json.RawMessage   `json:"brokerProperties"` // as in the header BrokerProperties
	Properties     map[string]string `json:"properties"`
	Size           int               `json:"size"`
	Body           string            `json:"body"`
	Base64         bool              `json:"base64,omitempty"`
	Cut            bool              `json:"cut,omitempty"` // the body is longer
}

const (
	maxPagePeek = 100
	maxPageBody = 64 << 10 // of one message, in bytes
)

func (s *Server) servePeek(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, _ := strconv.ParseInt(query.Get("from"), 10, 64)
	count, err := strconv.Atoi(query.Get("count"))
	if err != nil || count < 1 || count > maxPagePeek {
		count = maxPagePeek
	}
	source, err := s.Broker().Source(query.Get("path"))
	if err != nil {
		writePageError(w, err)
		return
	}
	found, err := source.Peek(from, count, nil)
	if err != nil {
		writePageError(w, err)
		return
	}
	states := make([]messageState, len(found))
	for i := range found {
		states[i] = pageMessage(&found[i])
	}
	writeJSON(w, states)
}

func pageMessage(d *broker.Delivery) messageState {
	header := make(http.Header)
	body := writeMessageHeaders(header, d)
	m := messageState{SequenceNumber: d.SequenceNumber, Size: d.Message.Size,
		State:  [...]string{"active", "deferred", "scheduled"}[d.State],
		Broker: json.RawMessage(header.Get("BrokerProperties")), Properties: make(map[string]string)}
	for name, value := range d.Message.Properties {
		m.Properties[name] = textOf(value)
	}
	if m.Cut = len(body) > maxPageBody; m.Cut {
		body = body[:maxPageBody]
		for i := 0; i < utf8.UTFMax && !utf8.Valid(body); i++ {
			body = body[:len(body)-1]
		}
	}
	m.Body = string(body)
	if !utf8.Valid(body) {
		m.Body, m.Base64 = base64.StdEncoding.EncodeToString(body), true
	}
	return m
}

func textOf(value any) string {
	switch v := value.(type) {
	case broker.TypedValue:
		return textOf(v.Value)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value)
}

// pageCommand is the body of a POST request of the page.
type pageCommand struct {
	Path             string           `json:"path"`
	SequenceNumbers  []int64          `json:"sequenceNumbers"`
	Body             string           `json:"body"`
	ContentType      string           `json:"contentType"`
	Properties       map[string]any   `json:"properties"`
	BrokerProperties brokerProperties `json:"brokerProperties"`
}

const maxPageCommand = 1 << 20

// command serves a POST request. It needs the content type application/json, which a page of another origin can't send
// without a preflight.
func (s *Server) command(do func(pageCommand) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
			kind != "application/json" {
			http.Error(w, "the body of the request is application/json", http.StatusUnsupportedMediaType)
			return
		}
		var c pageCommand
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPageCommand)).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := do(c)
		if err != nil {
			writePageError(w, err)
			return
		}
		writeJSON(w, answer)
	}
}

func writePageError(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if refused, ok := errors.AsType[*broker.Error](err); ok {
		status = int(errorMappings[refused.Code].status)
	}
	http.Error(w, err.Error(), status)
}

// sendOne sends a message to a queue or topic.
func (s *Server) sendOne(c pageCommand) (any, error) {
	target, err := s.Broker().Target(c.Path)
	if err != nil {
		return nil, err
	}
	m, err := jsonMessage(c.BrokerProperties, c.ContentType, c.Properties, c.Body)
	if err != nil {
		return nil, err
	}
	return map[string]int{"sent": 1}, target.Send([]*broker.Message{m})
}
