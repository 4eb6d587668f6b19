package worker

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// variables reads environment variables and collects an error for each unusable value.
type variables struct {
	getenv func(string) string
	errs   []error
}

func (v *variables) bad(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf(format, args...))
}

func (v *variables) text(name, fallback string) string {
	if value := strings.TrimSpace(v.getenv(name)); value != "" {
		return value
	}
	return fallback
}

func (v *variables) first(names ...string) string {
	for _, name := range names {
		if value := v.text(name, ""); value != "" {
			return value
		}
	}
	return ""
}

func (v *variables) integer(name string, fallback, lowest, highest int) int {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lowest || n > highest {
		v.bad("%s: %q is not a whole number from %d to %d", name, text, lowest, highest)
	}
	return n
}

// loopback reads a port and returns its address on the IPv4 loopback interface, or "" if the variable is not set.
func (v *variables) loopback(name string) string {
	if v.text(name, "") == "" {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(v.integer(name, 0, 0, 65535)))
}

func (v *variables) number(name string, fallback float64) float64 {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		v.bad("%s: %q is not a number from 0 up", name, text)
	}
	return n
}

func (v *variables) duration(name string, fallback, lowest time.Duration) time.Duration {
	text := v.text(name, "")
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < lowest {
		v.bad("%s: %q is not a duration of at least %v, such as 25s or 1m30s", name, text, lowest)
	}
	return d
}

func (v *variables) boolean(name string) bool {
	text := v.text(name, "false")
	b, err := strconv.ParseBool(text)
	if err != nil {
		v.bad("%s: %q is neither true nor false", name, text)
	}
	return b
}

func (v *variables) oneOf(name string, allowed ...string) string {
	text := strings.ToLower(v.text(name, ""))
	for _, value := range allowed {
		if text == value {
			return text
		}
	}
	if text != "" {
		v.bad("%s: %q is none of %s", name, text, strings.Join(allowed, ", "))
	}
	return ""
}

func (v *variables) level(name string) slog.Level {
	var level slog.Level
	if text := v.text(name, "info"); level.UnmarshalText([]byte(text)) != nil {
		v.bad("%s: %q is none of debug, info, warn, error", name, text)
	}
	return level
}

func (v *variables) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(v.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// origins reads a list of origins as browsers write them: scheme and host, and a port if it is not the default one.
func (v *variables) origins(name string) []string {
	origins := v.list(name)
	for _, origin := range origins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			v.bad("%s: %q is not an origin such as https://example.com, nor *", name, origin)
		}
	}
	return origins
}

// prefixes reads a list of CIDR prefixes. A single address is a prefix of full length.
func (v *variables) prefixes(name string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, item := range v.list(name) {
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			v.bad("%s: %q is not an address range such as 10.0.0.0/8", name, item)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes
}
