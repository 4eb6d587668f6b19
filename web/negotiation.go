package web

import (
	"strconv"
	"strings"
)

// acceptsGzip reports whether Accept-Encoding allows gzip: RFC 9110 section 12.5.3.
func acceptsGzip(values []string) bool {
	accepted, byName := false, false
	for _, value := range values {
		for coding := range strings.SplitSeq(value, ",") {
			name, parameters, _ := strings.Cut(coding, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name != "gzip" && name != "x-gzip" && (name != "*" || byName) {
				continue
			}
			accepted, byName = weight(parameters) > 0, name != "*"
		}
	}
	return accepted
}

// weight returns the quality value of a coding, 0 if it is malformed: RFC 9110 section 12.4.2.
func weight(parameters string) float64 {
	key, value, _ := strings.Cut(strings.TrimSpace(parameters), "=")
	if strings.TrimSpace(key) == "" {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if !strings.EqualFold(strings.TrimSpace(key), "q") || err != nil {
		return 0
	}
	return q
}

// matches reports whether If-None-Match contains tag. The comparison is weak: RFC 9110 section 13.1.2.
func matches(values []string, tag string) bool {
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == "*" || candidate == tag {
				return true
			}
		}
	}
	return false
}
