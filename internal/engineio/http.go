package engineio

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// httpError is a refusal as the protocol's reference server writes it: a code, a message, and the
// HTTP status.
type httpError struct {
	status  int
	code    int
	message string
}

var (
	errUnknownTransport = &httpError{http.StatusBadRequest, 0, "Transport unknown"}
	errUnknownSID       = &httpError{http.StatusBadRequest, 1, "Session ID unknown"}
	errHandshakeMethod  = &httpError{http.StatusBadRequest, 2, "Bad handshake method"}
	errBadRequest       = &httpError{http.StatusBadRequest, 3, "Bad request"}
	errForbidden        = &httpError{http.StatusForbidden, 4, "Forbidden"}
	errUnauthorized     = &httpError{http.StatusUnauthorized, 4, "Sign in first"}
	errVersion          = &httpError{http.StatusBadRequest, 5, "Unsupported protocol version"}
	// The protocol lists no code for these: they have the nearest one, and the HTTP status that
	// fits.
	errTooManySessions = &httpError{http.StatusTooManyRequests, 4, "Too many sessions from this address"}
	errTooFast         = &httpError{http.StatusTooManyRequests, 4, "Too many connections from this address"}
	errUnavailable     = &httpError{http.StatusServiceUnavailable, 4, "No more sessions accepted"}
	errTooBig          = &httpError{http.StatusRequestEntityTooLarge, 3, "Payload too big"}
)

func (e *httpError) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	if e.status == http.StatusServiceUnavailable || e.status == http.StatusTooManyRequests {
		header.Set("Retry-After", "5")
	}
	w.WriteHeader(e.status)
	_, _ = fmt.Fprintf(w, `{"code":%d,"message":%q}`, e.code, e.message) // #nosec G705 -- JSON, no page
}

// ServeHTTP is the Engine.IO endpoint: handshakes, polls, posts and WebSockets. It ignores the
// path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.admitOrigin(w, r) {
		return
	}
	s.setCORS(w.Header(), r)
	if r.Method == http.MethodOptions {
		s.servePreflight(w, r)
		return
	}
	if err := s.route(w, r); err != nil {
		s.auditRefusal(r, err)
		err.write(w)
	}
}

// foundProxy notes that the server is behind a proxy that it was not told of.
func (s *Server) foundProxy(r *http.Request) {
	if s.proxied.CompareAndSwap(false, true) {
		s.options.Logger.Warn("a proxy that TRUSTED_PROXIES does not list forwards requests: "+
			"its clients are not limited by address", "remote", r.RemoteAddr)
	}
}

// BehindUnknownProxy reports whether a request has come through a proxy that is not among the trusted ones. Clients
// behind it are not limited by address.
func (s *Server) BehindUnknownProxy() bool { return s.proxied.Load() }

// signedIn reports whether a request has all that a trusted proxy must have set.
func (s *Server) signedIn(r *http.Request) bool {
	if len(s.options.RequiredHeaders) == 0 {
		return true
	}
	if ip, ok := peerAddress(r); !ok || !contains(s.options.TrustedProxies, ip) {
		return false
	}
	return !slices.ContainsFunc(s.options.RequiredHeaders, func(name string) bool { return r.Header.Get(name) == "" })
}

// auditRefusal leaves a trace of a refusal that limits or sign-in have caused.
func (s *Server) auditRefusal(r *http.Request, refusal *httpError) {
	switch refusal {
	case errTooManySessions, errTooFast, errUnauthorized:
		remote, _ := s.address(r)
		s.options.Audit("refused: "+refusal.message, remote)
	}
}

// Counted returns what limits count the client of a request as, "" where its address is not known, see
// [Handshake.Counted].
func (s *Server) Counted(r *http.Request) string {
	_, counted := s.address(r)
	return counted
}

// query returns the parameters of a request. As in the reference implementation, whatever is malformed in a query, such
// as a stray % or a semicolon, is part of a name or value: it is the application's, and no reason to refuse a client.
func query(r *http.Request) url.Values { return parseQuery(r.URL.RawQuery) }

func parseQuery(raw string) url.Values {
	values := make(url.Values)
	for parameter := range strings.SplitSeq(raw, "&") {
		if parameter == "" {
			continue
		}
		name, value, _ := strings.Cut(parameter, "=")
		values.Add(unescape(name), unescape(value))
	}
	return values
}

// unescape is url.QueryUnescape that leaves malformed text as it is.
func unescape(s string) string {
	if unescaped, err := url.QueryUnescape(s); err == nil {
		return unescaped
	}
	return s
}

// route serves a request as its query asks, or refuses it. Engine.IO v4, "Protocol", "Handshake".
func (s *Server) route(w http.ResponseWriter, r *http.Request) *httpError {
	query := query(r)
	transport, ok := parseTransport(query.Get("transport"))
	if !ok {
		return errUnknownTransport
	}
	protocol, ok := s.parseProtocol(query.Get("EIO"))
	if !ok {
		return errVersion
	}
	upgrade := isUpgrade(r)
	if transport == transportWebSocket && !upgrade {
		return errBadRequest
	}
	sid := query.Get("sid")
	if sid == "" {
		return s.open(w, r, protocol, transport, query)
	}
	session := s.lookup(sid)
	if session == nil || session.protocol != protocol || session.expired() {
		return errUnknownSID
	}
	if transport == transportWebSocket {
		return session.serveProbe(w, r)
	}
	switch r.Method {
	case http.MethodGet:
		return session.servePoll(w, r)
	case http.MethodPost:
		return session.servePost(w, r)
	}
	return errBadRequest
}

func (s *Server) open(w http.ResponseWriter, r *http.Request, protocol Protocol, transport transport,
	query url.Values) *httpError {
	switch {
	case r.Method != http.MethodGet:
		return errHandshakeMethod
	case !s.signedIn(r):
		return errUnauthorized
	case transport == transportWebSocket:
		return s.openWebSocket(w, r, protocol)
	}
	return s.openPolling(w, r, protocol, query.Has("b64"))
}

type transport uint8

const (
	transportPolling transport = iota
	transportWebSocket
)

func parseTransport(name string) (transport, bool) {
	switch name {
	case "polling":
		return transportPolling, true
	case "websocket":
		return transportWebSocket, true
	}
	return 0, false
}

func (s *Server) parseProtocol(version string) (Protocol, bool) {
	switch version {
	case "4":
		return V4, true
	case "3":
		return V3, s.options.Protocol3
	}
	return 0, false
}

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}
