package worker

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// httpMetrics measures requests by OpenTelemetry's semantic conventions for HTTP servers. It is no otelhttp, because
// that hides from the handlers which features the connection has, takes some kilobytes a request, and cannot tell a
// WebSocket from a request. A WebSocket counts as a request until its handshake is answered, with status 101.
type httpMetrics struct {
	duration metric.Float64Histogram
	active   metric.Int64UpDownCounter

	mu   sync.Mutex
	sets map[requestKind]metric.MeasurementOption // guarded by mu: attributes of requests that were seen
}

// requestKind are the attributes of a request. There are few, as routes, methods and versions are known ones.
type requestKind struct {
	method, scheme, route, version string
	status                         int
}

// maxRequestKinds bounds the kinds that are measured apart. The conventions' methods and this server's routes and
// statuses make fewer.
const maxRequestKinds = 1000

// requestBounds are those that the conventions advise, in seconds.
var requestBounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

func newHTTPMetrics(m *metrics) (*httpMetrics, error) {
	h := &httpMetrics{sets: make(map[requestKind]metric.MeasurementOption)}
	var errs [2]error
	h.duration, errs[0] = m.histogram("http.server.request.duration", "s",
		"Duration of HTTP server requests.", requestBounds)
	m.names = append(m.names, "http.server.active_requests")
	h.active, errs[1] = m.meter.Int64UpDownCounter("http.server.active_requests", metric.WithUnit("{request}"),
		metric.WithDescription("Number of active HTTP server requests."))
	return h, errors.Join(errs[:]...)
}

// measured is the answer to a request that is measured.
type measured struct {
	http.ResponseWriter
	status int
	route  string
}

func (m *measured) WriteHeader(status int) {
	if m.status < http.StatusOK { // an informational status is not the last
		m.status = status
	}
	m.ResponseWriter.WriteHeader(status)
}

func (m *measured) Write(b []byte) (int, error) {
	if m.status < http.StatusOK {
		m.status = http.StatusOK
	}
	return m.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the features of the connection. Handlers take it over by that.
func (m *measured) Unwrap() http.ResponseWriter { return m.ResponseWriter }

// measure measures all requests that next is given.
func (h *httpMetrics) measure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		began := time.Now()
		kind := requestKind{method: knownMethod(r.Method), scheme: "http"}
		if r.TLS != nil {
			kind.scheme = "https"
		}
		active := h.attributes(kind)
		h.active.Add(context.Background(), 1, active)
		defer h.active.Add(context.Background(), -1, active)
		m := &measured{ResponseWriter: rw}
		upgrade := strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
		defer func() {
			kind.route, kind.status = m.route, m.status
			kind.version = strconv.Itoa(r.ProtoMajor)
			if r.ProtoMajor == 1 {
				kind.version = "1." + strconv.Itoa(r.ProtoMinor)
			}
			switch {
			case kind.status != 0:
			case upgrade:
				kind.status = http.StatusSwitchingProtocols // the connection was taken over
			default:
				kind.status = http.StatusOK
			}
			h.duration.Record(context.Background(), time.Since(began).Seconds(), h.attributes(kind))
		}()
		next.ServeHTTP(m, r)
	})
}

// noteRoute tells measure which route the mux has found.
func noteRoute(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(rw, r)
		if m, ok := rw.(*measured); ok {
			m.route = r.Pattern
			if _, path, ok := strings.Cut(r.Pattern, " "); ok {
				m.route = path // without the method
			}
		}
	})
}

// attributes returns the attributes of a kind of request. Those of an active request have neither status nor version.
func (h *httpMetrics) attributes(kind requestKind) metric.MeasurementOption {
	h.mu.Lock()
	defer h.mu.Unlock()
	set, ok := h.sets[kind]
	if ok {
		return set
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", kind.method), attribute.String("url.scheme", kind.scheme),
	}
	if kind.route != "" {
		attributes = append(attributes, attribute.String("http.route", kind.route))
	}
	if kind.version != "" {
		attributes = append(attributes, attribute.String("network.protocol.version", kind.version))
	}
	if kind.status != 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", kind.status))
	}
	if kind.status >= http.StatusInternalServerError {
		attributes = append(attributes, attribute.String("error.type", strconv.Itoa(kind.status)))
	}
	set = metric.WithAttributeSet(attribute.NewSet(attributes...))
	if len(h.sets) < maxRequestKinds {
		h.sets[kind] = set
	}
	return set
}

// knownMethod returns a method, or what the conventions want in place of one that nobody knows.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}
