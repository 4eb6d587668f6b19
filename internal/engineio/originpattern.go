package engineio

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// originPattern is one of [Options.AllowedOrigins].
type originPattern struct {
	any        bool   // "*"
	literal    string // "null" or "file://", which have no host; else ""
	scheme     string
	host       string // without the port; of a pattern for subdomains what follows the *, which begins with a dot
	port       string // "": the scheme's default port
	subdomains bool
}

var errOrigin = errors.New("is not an origin such as https://example.com, https://*.example.com, null or file://, " +
	"nor *")

// CheckOrigin returns an error if an element of [Options.AllowedOrigins] can't match the origin of any page. The text
// follows the element.
func CheckOrigin(origin string) error {
	_, err := parseOriginPattern(origin)
	return err
}

func parseOriginPattern(text string) (originPattern, error) {
	lower := strings.ToLower(text)
	switch lower {
	case "*":
		return originPattern{any: true}, nil
	case "null", "file://":
		return originPattern{literal: lower}, nil
	}
	for _, r := range lower {
		if r >= 0x80 {
			return originPattern{}, errors.New("has a host that is not ASCII: write it as browsers do, with xn--")
		}
	}
	u, err := url.Parse(lower)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil {
		return originPattern{}, errOrigin
	}
	p := originPattern{scheme: u.Scheme, host: u.Hostname(), port: u.Port()}
	if p.host, p.subdomains = strings.CutPrefix(p.host, "*"); p.subdomains && len(p.host) < 2 ||
		p.subdomains && p.host[0] != '.' || strings.Contains(p.host, "*") || p.host == "" {
		return originPattern{}, errOrigin
	}
	if n, err := strconv.Atoi(p.port); p.port != "" && (err != nil || n < 1 || n > 65535) {
		return originPattern{}, errOrigin
	}
	if p.port == defaultPort(p.scheme) {
		p.port = ""
	}
	return p, nil
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// matches reports whether the pattern stands for an origin as a browser writes it.
func (p *originPattern) matches(origin string) bool {
	switch {
	case p.any:
		return true
	case p.literal != "":
		return strings.EqualFold(p.literal, origin)
	}
	o, err := parseOriginPattern(origin)
	if err != nil || o.subdomains || o.scheme != p.scheme || o.port != p.port {
		return false
	}
	if p.subdomains {
		return len(o.host) > len(p.host) && strings.HasSuffix(o.host, p.host)
	}
	return o.host == p.host
}

// withoutDefaultPort returns a host of a URL or Host header in lower case and without the port 80 or 443, which some
// proxies write out.
func withoutDefaultPort(host string) string {
	host = strings.ToLower(host)
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}
