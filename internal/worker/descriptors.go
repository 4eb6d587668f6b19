package worker

import (
	"math"
	"net/http"
)

// descriptorReserve is how many file descriptors are kept for everything but clients: the log, listeners, Service Bus,
// probes, and answers to the clients that are refused.
const descriptorReserve = 24

// fitting returns how many connections of clients fit into the limit of open files, which Go's runtime has
// raised to the hard limit at the start.
func fitting() int {
	limit := openFiles()
	if limit == math.MaxInt {
		return limit
	}
	return max(limit-descriptorReserve, 1)
}

// limitDescriptors refuses clients before the process is out of file descriptors, so that it goes on to answer probes
// and the clients it has. Only requests that open something count: a poll belongs to a session that was let in.
func (w *Worker) limitDescriptors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		open, _ := w.connections.counts()
		if open+w.engine.Connected() <= w.fits || isProbe(r) || r.URL.Query().Has("sid") {
			next.ServeHTTP(rw, r)
			return
		}
		if w.full.CompareAndSwap(false, true) {
			w.log.Error("no more connections fit into the limit of open files: clients are refused", "fitting", w.fits)
		}
		rw.Header().Set("Connection", "close")
		rw.Header().Set("Retry-After", "10")
		http.Error(rw, "no more connections fit into the limit of open files", http.StatusServiceUnavailable)
	})
}
