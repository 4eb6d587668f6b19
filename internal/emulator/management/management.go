// Package management serves the ATOM API of an emulated Service Bus namespace, which the
// administration clients of all SDKs use, and the health endpoint of Microsoft's emulator.
//
// Implemented: queues, topics, subscriptions and rules, each with create, get, list in pages, update and delete;
// runtime properties; $namespaceinfo; SAS and JWT authorization with the service's refusals; GET /health.
//
// Not implemented, and answered with status 501: all other resources below an entity. Package emulator serves sending
// and receiving over HTTP. Supplementary tokens for ForwardTo are ignored, because source and
// destination are in one namespace. Creation and modification times of authorization rules are not
// stored.
//
// # Concurrency
//
// A Handler runs on net/http's goroutines, starts none, and may serve any number of requests at once.
package management

import (
	"io"
	"log/slog"
	"net/http"
	"strings"

	"chatapp/internal/emulator/broker"
)

// maxBody bounds the body of a request, in bytes. The largest texts of a description have 1,024 characters.
const maxBody = 1 << 20

// Options of a [Handler]. The zero value works.
type Options struct {
	// Healthy reports to /health whether the namespace is being served; nil means always.
	Healthy func() bool
	// Log receives refused requests at debug level; nil discards them.
	Log *slog.Logger
}

// Handler serves the management API of one namespace under any host name.
type Handler struct {
	broker  *broker.Broker
	options Options
}

// New returns a handler for the namespace b.
func New(b *broker.Broker, options Options) *Handler {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{b, options}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.EqualFold(r.URL.Path, "/health") {
		h.health(w, r)
		return
	}
	req := &request{Request: r, handler: h, resource: parsePath(r.URL.Path)}
	answer, err := req.serve(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.options.Log.Debug("management request refused", "remote", r.RemoteAddr, "method", r.Method, "path",
			r.URL.Path, "err", err)
		req.writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", answer.contentType)
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body) // an error means that the client has gone
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
		const unhealthy = `{"status":"unhealthy","message":"Service not available. Please try after some time."}`
		_, _ = io.WriteString(w, unhealthy)
		return
	}
	_, _ = io.WriteString(w, `{"status":"healthy","message":"Service is healthy."}`)
}
