package emulator

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// allowlist decides which HTTP requests are served, AMQP over WebSocket included. The namespace's key is public, so
// that without it any web page in a browser on this machine could use the namespace: directly, which an Origin shows,
// or by DNS rebinding, which the Host shows.
type allowlist struct {
	hosts   []string // names beside localhost
	origins []string
	next    http.Handler
}

// ServeHTTP implements http.Handler.
func (a *allowlist) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch origin := r.Header.Get("Origin"); {
	case strings.EqualFold(r.URL.Path, "/health"): // tells nothing, and is asked by any name of a container
	case !a.admitsHost(r.Host):
		http.Error(w, "This host name is not allowed. Start the emulator with -hosts to allow it.",
			http.StatusForbidden)
		return
	case origin != "" && !a.admitsOrigin(origin, r.Host):
		http.Error(w, "This origin is not allowed. Start the emulator with -origins to allow it.",
			http.StatusForbidden)
		return
	}
	a.next.ServeHTTP(w, r)
}

// admitsHost reports whether a Host header names this machine: by an address, which no DNS answer can forge, as
// localhost, or by a name of the list.
func (a *allowlist) admitsHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	return net.ParseIP(name) != nil || strings.EqualFold(name, "localhost") ||
		slices.ContainsFunc(a.hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// admitsOrigin reports whether a request to host comes from a page of the same host and port, or of a listed origin.
func (a *allowlist) admitsOrigin(origin, host string) bool {
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, host) {
		return true
	}
	return slices.ContainsFunc(a.origins, func(o string) bool { return strings.EqualFold(o, origin) })
}
