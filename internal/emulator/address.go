package emulator

import (
	"net/url"
	"strings"
)

const (
	nodeCBS        = "$cbs"
	nodeManagement = "$management"
)

// entityPath takes scheme, host and port from a link's address or a token's audience, of which the SDKs write several
// kinds: "chat", "/chat", "amqps://host:5671/chat", "sb://host/chat/". Only the path counts, because clients come
// through proxies and port maps.
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

// cutManagement takes "/$management" from the end of a path and reports whether it was there.
func cutManagement(path string) (entity string, ok bool) {
	n := len(path) - len(nodeManagement)
	if n >= 0 && strings.EqualFold(path[n:], nodeManagement) && (n == 0 || path[n-1] == '/') {
		return strings.TrimSuffix(path[:n], "/"), true
	}
	return path, false
}

// covers reports whether a right given for one path holds for another: the namespace for everything, a topic for its
// subscriptions, an entity for its subqueues. Names compare without regard to case.
func covers(granted, wanted string) bool {
	if granted == "" {
		return true
	}
	if len(wanted) < len(granted) || !strings.EqualFold(wanted[:len(granted)], granted) {
		return false
	}
	return len(wanted) == len(granted) || wanted[len(granted)] == '/'
}
