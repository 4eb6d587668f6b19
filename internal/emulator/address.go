package emulator

import (
	"net/url"
	"strings"
)

const (
	nodeCBS        = "$cbs"
	nodeManagement = "$management"
)

// entityPath removes scheme, host and port from a link's address or a token's audience. The SDKs write several forms:
// "chat", "/chat", "amqps://host:5671/chat", "sb://host/chat/". Host and port have no meaning, because clients connect
// through proxies and mapped ports.
func entityPath(address string) string {
	if scheme, rest, ok := strings.Cut(address, "://"); ok && scheme != "" && !strings.Contains(scheme, "/") {
		if _, path, ok := strings.Cut(rest, "/"); ok {
			address = path
		} else {
			address = ""
		}
	}
	if unescaped, err := url.PathUnescape(address); err == nil {
		address = unescaped
	}
	return strings.Trim(address, "/")
}

// cutManagement removes "/$management" from the end of a path and reports whether it was there.
func cutManagement(path string) (entity string, ok bool) {
	n := len(path) - len(nodeManagement)
	if n >= 0 && strings.EqualFold(path[n:], nodeManagement) && (n == 0 || path[n-1] == '/') {
		return strings.TrimSuffix(path[:n], "/"), true
	}
	return path, false
}

// covers reports whether a right for one path includes another. The namespace covers everything, a topic its
// subscriptions, an entity its subqueues. The comparison ignores letter case.
func covers(granted, wanted string) bool {
	if granted == "" {
		return true
	}
	if len(wanted) < len(granted) || !strings.EqualFold(wanted[:len(granted)], granted) {
		return false
	}
	return len(wanted) == len(granted) || wanted[len(granted)] == '/'
}
