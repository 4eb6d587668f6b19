package worker

import (
	"io"
	"net/http"
	"time"

	"chatapp/web"
)

// requestTimeout is how long a request's body may take to arrive.
const requestTimeout = 30 * time.Second

func (w *Worker) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", w.engine)
	mux.Handle("/ws", w.engine.WebSocketHandler())
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", w.ready)
	mux.HandleFunc("GET /metrics", w.serveMetrics)
	mux.Handle("/", web.Handler())
	return bounded(mux)
}

// bounded keeps a request that announces a body from taking for ever to send it.
func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(rw).SetReadDeadline(time.Now().Add(requestTimeout))
		}
		next.ServeHTTP(rw, r)
	})
}

// alive answers that the process serves. A platform that hears nothing starts it anew.
func alive(rw http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(rw, "ok\n")
}

// ready tells whether new clients should be sent here, and else why not.
func (w *Worker) ready(rw http.ResponseWriter, _ *http.Request) {
	if why := w.notReady(); why != "" {
		http.Error(rw, why, http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(rw, "ready\n")
}

// notReady is why no new clients should be sent here, or "".
func (w *Worker) notReady() string {
	select {
	case <-w.draining:
		return "draining"
	default:
		return w.cluster.notReady()
	}
}

// serveMetrics answers those who ask this instance itself. What comes through a proxy comes from outside, where nobody has to know.
func (w *Worker) serveMetrics(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Forwarded-For") != "" {
		http.NotFound(rw, r)
		return
	}
	w.metrics.handler.ServeHTTP(rw, r)
}
