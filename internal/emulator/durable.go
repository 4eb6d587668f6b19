package emulator

import (
	"io"
	"net/http"
)

// durable returns a handler that answers a request which may change something only once the namespace has written what
// it did to the folder of [Options.Data].
func (s *Server) durable(next http.Handler) http.Handler {
	if s.options.Data == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		d := &durableWriter{ResponseWriter: w, sync: func() error { return s.Broker().Sync() }}
		next.ServeHTTP(d, r)
		if !d.begun {
			d.WriteHeader(http.StatusOK)
		}
	})
}

// durableWriter calls sync before it writes the first byte. After an error it answers with that.
type durableWriter struct {
	http.ResponseWriter
	sync  func() error
	begun bool
	err   error
}

func (d *durableWriter) WriteHeader(status int) {
	if d.begun {
		return
	}
	d.begun = true
	if status < http.StatusBadRequest {
		d.err = d.sync()
	}
	if d.err == nil {
		d.ResponseWriter.WriteHeader(status)
		return
	}
	clear(d.Header())
	d.Header().Set("Content-Type", "text/plain; charset=utf-8")
	d.ResponseWriter.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(d.ResponseWriter, d.err.Error()) // an error means that the client has gone
}

func (d *durableWriter) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	if d.err != nil {
		return len(b), nil
	}
	return d.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (d *durableWriter) Unwrap() http.ResponseWriter { return d.ResponseWriter }
