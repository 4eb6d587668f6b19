package worker

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// checkHost refuses requests for a host that is not this server's. By DNS rebinding a web page can reach a worker under
// the page's own name, and would pass for the same origin. With ALLOWED_HOSTS only these hosts are let in, and any
// address. Without it only connections that stay on this machine are checked: others come through a proxy, whose names
// the worker does not know. The probes of platforms, which name any host, are not checked.
func (w *Worker) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && !w.hostAllowed(r) {
			http.Error(rw, "unknown host: see ALLOWED_HOSTS", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

func (w *Worker) hostAllowed(r *http.Request) bool {
	host, allowed := hostName(r.Host), w.config.Transport.AllowedHosts
	if _, err := netip.ParseAddr(host); err == nil || isLocalName(host) {
		return true // no name that somebody else could have resolved
	}
	if len(allowed) == 0 && !onLoopback(r) {
		return true
	}
	return slices.ContainsFunc(allowed, func(pattern string) bool { return matchesHost(pattern, host) }) ||
		slices.ContainsFunc(w.config.Transport.AllowedOrigins, func(origin string) bool {
			u, err := url.Parse(strings.ToLower(origin))
			return err == nil && u.Hostname() != "" && matchesHost(u.Hostname(), host)
		})
}

// matchesHost reports whether a pattern of ALLOWED_HOSTS stands for a host.
func matchesHost(pattern, host string) bool {
	if domain, ok := strings.CutPrefix(pattern, "*."); ok {
		return len(host) > len(domain)+1 && strings.HasSuffix(host, "."+domain)
	}
	return pattern == "*" || pattern == host
}

// onLoopback reports whether a connection's own end is on the loopback interface.
func onLoopback(r *http.Request) bool {
	address, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if address == nil {
		return false
	}
	local, err := netip.ParseAddrPort(address.String())
	return err == nil && local.Addr().Unmap().IsLoopback()
}

// hostName returns the host of a Host header without port and brackets, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// isLocalName reports whether a name means this machine on every system, RFC 6761.
func isLocalName(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost")
}
