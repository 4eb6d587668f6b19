package engineio

import (
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// originAllowed reports whether the origin policy lets a request in. A request without Origin does
// not come from another site's page: browsers send it with every WebSocket handshake and every
// cross-origin request.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || s.listedOrigin(origin) {
		return true
	}
	u, err := url.Parse(origin)
	// The scheme is not compared: TLS may end before this server.
	return err == nil && u.Host != "" &&
		withoutDefaultPort(u.Host) == withoutDefaultPort(requestHost(r, s.options.TrustedProxies))
}

// admitOrigin is originAllowed. It answers a request that is not let in, counts it, and logs one such request a minute.
func (s *Server) admitOrigin(w http.ResponseWriter, r *http.Request) bool {
	if s.originAllowed(r) {
		return true
	}
	n := s.origins.refused.Add(1)
	now, last := int64(s.elapsed()), s.origins.logged.Load()
	if (last == 0 || now-last >= int64(time.Minute)) && s.origins.logged.CompareAndSwap(last, max(now, 1)) {
		origin := r.Header.Get("Origin")
		s.options.Logger.Warn("origin refused: list it in ALLOWED_ORIGINS, or have the proxy pass the Host that "+
			"the browser addressed", "origin", origin[:min(len(origin), maxLoggedOrigin)],
			"host", requestHost(r, s.options.TrustedProxies), "remote", r.RemoteAddr, "refused", n)
	}
	errForbidden.write(w)
	return false
}

// maxLoggedOrigin bounds in bytes what the log shows of an origin.
const maxLoggedOrigin = 200

// origins has the parsed allowed origins, and what was refused.
type origins struct {
	allowed []originPattern // immutable
	refused atomic.Uint64   // requests
	logged  atomic.Int64    // when one was last logged, in nanoseconds since the server's start; 0: never
}

func (s *Server) listedOrigin(origin string) bool {
	return slices.ContainsFunc(s.origins.allowed, func(p originPattern) bool { return p.matches(origin) })
}

// setCORS lets a browser pass the response to a page of another, allowed origin. Credentials are
// allowed to listed origins, for load balancers that route a client by cookie, and never where "*"
// allows every origin, nor to null, the origin of every sandboxed page.
func (s *Server) setCORS(header http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || !s.listedOrigin(origin) {
		return
	}
	if slices.Contains(s.options.AllowedOrigins, "*") {
		header.Set("Access-Control-Allow-Origin", "*")
		return
	}
	header.Set("Access-Control-Allow-Origin", origin)
	if origin != "null" {
		header.Set("Access-Control-Allow-Credentials", "true")
	}
	header.Add("Vary", "Origin")
}

// servePreflight answers the request that a browser sends before it polls from another origin.
func (s *Server) servePreflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST")
	if requested := r.Header.Get("Access-Control-Request-Headers"); requested != "" {
		header.Set("Access-Control-Allow-Headers", requested)
		header.Add("Vary", "Access-Control-Request-Headers")
	}
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}
