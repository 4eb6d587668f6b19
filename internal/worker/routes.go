package worker

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/pause"
	"chatapp/web"
)

// requestTimeout is how long a request's body may take to arrive.
const requestTimeout = 30 * time.Second

func (w *Worker) routes() http.Handler {
	mux := http.NewServeMux()
	// A WebSocket can't follow the mux's redirect to the path with the slash.
	clients := w.whenLoaded(w.engine)
	mux.Handle("/socket.io", clients)
	mux.Handle("/socket.io/", clients)
	scripts := web.ClientHandler()
	for _, name := range web.ClientScripts() {
		mux.Handle("/socket.io/"+name, scripts)
	}
	raw := w.whenLoaded(w.engine.WebSocketHandler())
	mux.Handle("/ws", raw)
	mux.Handle("/ws/{$}", raw)
	mux.HandleFunc("GET /healthz", serveHealth)
	mux.HandleFunc("GET /readyz", w.serveReadiness)
	mux.HandleFunc("GET /metrics", w.serveMetrics)
	mux.Handle("/", web.Handler(w.config.Page))
	below := belowPath(w.config.BasePath, noteRoute(mux))
	return w.metrics.http.measure(w.limitDescriptors(w.limitRequests(w.checkHost(limitBodyTime(below)))))
}

// belowPath serves everything below a path as well, for proxies that pass it on. Probes ask without it. The path alone
// is redirected, since the addresses in the page are relative.
func belowPath(base string, next http.Handler) http.Handler {
	if base == "" {
		return next
	}
	stripped := http.StripPrefix(base, next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == base:
			http.Redirect(rw, r, base+"/", http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, base+"/"):
			stripped.ServeHTTP(rw, r)
		default:
			next.ServeHTTP(rw, r)
		}
	})
}

// limitBodyTime sets a read deadline for requests that announce a body. The server itself has no read timeout, because
// polls and WebSockets last long.
func limitBodyTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			_ = http.NewResponseController(rw).SetReadDeadline(time.Now().Add(requestTimeout))
		}
		next.ServeHTTP(rw, r)
	})
}

// limitRequests refuses the requests of an address that makes too many. Above twice the rate those that are let in, and
// those that are refused, wait in turn: what an address may use at once would otherwise keep all processors busy, and
// everybody else's messages waiting, for as long as it takes. None waits for more than maxWait. Probes are not refused
// and hardly wait: a visitor that shares the platform's address, as behind a translation of addresses, must not make
// the worker seem dead.
func (w *Worker) limitRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		address, probe := w.engine.Counted(r), isProbe(r)
		wait := w.addresses.Borrow(address, allowance.HTTPPace, maxWait)
		if probe {
			wait = min(wait, maxProbeWait)
		}
		if wait > 0 && pause.For(r.Context(), wait) != nil {
			return
		}
		if wait, ok := w.addresses.Take(address, allowance.HTTPRequests); !ok && !probe {
			rw.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			rw.Header().Set("Connection", "close")
			http.Error(rw, "too many requests from this address", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// maxWait bounds how long the others behind an address wait for what one of them has done.
const maxWait = 2 * time.Second

// maxProbeWait is less than what any platform waits for the answer to a probe.
const maxProbeWait = 250 * time.Millisecond

// isProbe reports whether a request asks how the worker is.
func isProbe(r *http.Request) bool { return r.URL.Path == "/healthz" || r.URL.Path == "/readyz" }

// serveMetrics answers direct requests only, and none with METRICS_PORT. All others get 404.
func (w *Worker) serveMetrics(rw http.ResponseWriter, r *http.Request) {
	if !w.isDirect(r) {
		http.NotFound(rw, r)
		return
	}
	neverCache(rw)
	w.metrics.handler.ServeHTTP(rw, r)
}

// neverCache keeps an answer that is true for a moment out of caches between the server and whoever asks.
func neverCache(rw http.ResponseWriter) { rw.Header().Set("Cache-Control", "no-store") }
