// Package management is the HTTP side of an emulated Service Bus namespace: the ATOM API that the administration clients
// of all SDKs speak, and the health answer of Microsoft's emulator.
//
// Implemented: queues, topics, subscriptions and rules, each with create, get, list in pages, update and delete;
// runtime properties; $namespaceinfo; SAS and JWT authorization with the service's refusals; GET /health.
//
// Not implemented, and answered with status 501: sending and receiving over HTTP, and whatever else is below an entity. The
// supplementary tokens that come with ForwardTo are accepted unread: source and destination are one namespace.
// Creation and modification times of authorization rules are not kept.
//
// Handlers run on net/http's goroutines; a Handler starts none and may serve any number of requests at once.
package management

import (
	"io"
	"log/slog"
	"net/http"
	"strings"

	"chatapp/internal/emulator/broker"
)

// maxBody bounds a request's body, in bytes. The largest description has a rule action of 1,024 characters and
// metadata of as many.
const maxBody = 1 << 20

// Options of a [Handler]. The zero value works.
type Options struct {
	// Healthy tells /health whether the namespace is served; nil means always.
	Healthy func() bool
	// Log gets refused requests at debug level; nil discards.
	Log *slog.Logger
}

// Handler serves the management API of one namespace, whatever host name clients reach it by.
type Handler struct {
	broker  *broker.Broker
	options Options
}

// New returns a handler for b.
func New(b *broker.Broker, options Options) *Handler {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{b, options}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.URL.Path, "/health") {
		h.health(w, r)
		return
	}
	req := &request{Request: r, handler: h, place: parsePath(r.URL.Path)}
	answer, err := req.serve(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.options.Log.Debug("management request refused", "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "err", err)
		req.writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", answer.contentType)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // the client went away
}

// health answers as Microsoft's emulator does.
func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if h.options.Healthy != nil && !h.options.Healthy() {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"status":"unhealthy","message":"Service not available. Please try after some time."}`)
		return
	}
	_, _ = io.WriteString(w, `{"status":"healthy","message":"Service is healthy."}`)
}
