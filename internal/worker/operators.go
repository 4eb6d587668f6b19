package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// startSides starts what is served on listeners of its own: METRICS_PORT and PPROF_PORT.
func (w *Worker) startSides() ([]*sideServer, error) {
	operators, err := w.startOperators()
	if err != nil {
		return nil, err
	}
	profiles, err := startPprof(w.config.PprofAddress, w.log)
	if err != nil {
		return nil, errors.Join(err, operators.shutdown(context.Background()))
	}
	return []*sideServer{operators, profiles}, nil
}

// startOperators listens on METRICS_PORT, "" for none, and serves what operators need: metrics, readiness with the
// reason, and, to this machine alone, profiles. Nothing that a client or a proxy sends decides who sees it.
func (w *Worker) startOperators() (*sideServer, error) {
	if w.config.Metrics.Address == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", w.config.Metrics.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on METRICS_PORT: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.metrics.handler)
	mux.HandleFunc("GET /healthz", serveHealth)
	mux.HandleFunc("GET /readyz", w.serveReadinessWithReason)
	mux.Handle("/debug/pprof/", loopbackOnly(profiles()))
	w.log.Info("serving metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	return serveSide(listener, mux, w.log), nil
}

func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) {
			http.NotFound(rw, r)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func fromLoopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// proxyHeaders are header fields by which a proxy may say that it is one.
var proxyHeaders = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Forwarded", "Via",
}

// isDirect reports whether a request comes from this machine, by no proxy that says so and to an address of this
// machine. Without METRICS_PORT, such requests on the public port see what operators see.
func (w *Worker) isDirect(r *http.Request) bool {
	for _, name := range proxyHeaders {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return w.config.Metrics.Address == "" && fromLoopback(r) && isLocalName(hostName(r.Host))
}
