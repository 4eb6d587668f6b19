package worker

import "net/http"

// whenLoaded refuses clients with 503 until a worker that has a store is in sync for the first time. Before that it
// knows no session, and would take every client that returns for a new one: when all instances have ended, each of them
// starts without a state, until one has loaded it.
func (w *Worker) whenLoaded(next http.Handler) http.Handler {
	if w.storage == nil {
		return next
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.loaded.Load() {
			if len(w.cluster.node.Status().Members) == 0 {
				rw.Header().Set("Retry-After", "1")
				http.Error(rw, "the server is starting", http.StatusServiceUnavailable)
				return
			}
			w.loaded.Store(true)
		}
		next.ServeHTTP(rw, r)
	})
}
