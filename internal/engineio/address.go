package engineio

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress is the address a request came from. Where the peer is a trusted proxy its
// X-Forwarded-For is read from the right, past further trusted proxies, to the first address that is not one: everything left
// of that could have been written by the client.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip := peer.Addr().Unmap()
	if !contains(trusted, ip) {
		return ip.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		ip = next
		if !contains(trusted, ip) {
			break
		}
	}
	return ip.String()
}

// holder is whom an address belongs to, as far as it tells: of IPv6 a subscriber is given 64 bits and more to choose from, RFC 6177, so that
// the whole address names nobody in particular.
func limitedAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	subscriber, _ := ip.WithZone("").Prefix(64) // which an IPv6 address has
	return subscriber.String()
}

// parseHop reads an element of X-Forwarded-For: an address, which some proxies write with its port.
func parseHop(hop string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return ip.Unmap(), true
	}
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

func contains(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// firstHop is what the proxy that is nearest to the client has put into a header to which each may add.
func firstHop(values string) string {
	first, _, _ := strings.Cut(values, ",")
	return strings.TrimSpace(first)
}

// requestHost is the host the client addressed, as far as trusted proxies pass it on.
func requestHost(r *http.Request, trusted []netip.Prefix) string {
	if host := firstHop(r.Header.Get("X-Forwarded-Host")); host != "" {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && contains(trusted, peer.Addr().Unmap()) {
			return host
		}
	}
	return r.Host
}
