package worker

import "net/http"

// whenLoaded refuses clients with 503 until a worker without Service Bus has loaded what its store has. Before that it
// knows no session, and would take every client that returns for a new one.
func (w *Worker) whenLoaded(next http.Handler) http.Handler {
	if w.storage == nil || w.cluster.kind != kindInProcess {
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
