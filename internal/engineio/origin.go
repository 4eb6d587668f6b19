package engineio

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
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
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, requestHost(r, s.options.TrustedProxies))
}

func (s *Server) listedOrigin(origin string) bool {
	return slices.ContainsFunc(s.options.AllowedOrigins, func(allowed string) bool {
		return allowed == "*" || strings.EqualFold(allowed, origin)
	})
}

// setCORS lets a browser pass the response to a page of another, allowed origin. Credentials are
// allowed to listed origins, for load balancers that route a client by cookie, and never where "*"
// allows every origin.
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
	header.Set("Access-Control-Allow-Credentials", "true")
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
