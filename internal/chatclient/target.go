package chatclient

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Target is where a worker is reached.
type Target struct {
	// Insecure accepts any certificate, such as that of a test deployment.
	Insecure bool

	address string // host:port
	host    string // for the Host header
	secure  bool
	uri     string // request target, query included
}

// ParseTarget reads a URL with scheme http, https, ws or wss. Without a path, or without a query,
// it means the protocol's own.
func ParseTarget(raw string, p Protocol) (Target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Target{}, err
	}
	t := Target{host: u.Host}
	port := "80"
	switch u.Scheme {
	case "http", "ws":
	case "https", "wss":
		t.secure, port = true, "443"
	default:
		return Target{}, fmt.Errorf("%q: want an http, https, ws or wss URL", raw)
	}
	if u.Hostname() == "" {
		return Target{}, fmt.Errorf("%q: no host", raw)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	route := url.URL{Path: u.Path, RawQuery: u.RawQuery}
	if strings.Trim(route.Path, "/") == "" {
		route.Path = p.path()
	}
	if route.RawQuery == "" {
		route.RawQuery = p.query()
	}
	t.uri = route.RequestURI()
	return t, nil
}

// withQuery returns the target with another parameter in its query.
func (t Target) withQuery(parameter string) Target {
	separator := "?"
	if strings.Contains(t.uri, "?") {
		separator = "&"
	}
	t.uri += separator + parameter
	return t
}
