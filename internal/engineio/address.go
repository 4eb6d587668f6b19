package engineio

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address that a request came from. If the peer is a trusted proxy, it
// reads X-Forwarded-For from the right, past further trusted proxies, to the first address that is
// not one. The client could have written everything left of that.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	ip, ok := peerAddress(r)
	if !ok {
		return r.RemoteAddr
	}
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

// peerAddress returns the address that the request's connection comes from.
func peerAddress(r *http.Request) (ip netip.Addr, ok bool) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return peer.Addr().Unmap(), err == nil
}

// fromUnknownProxy reports whether a request came through a proxy that is not among the trusted ones: a peer on this
// machine or a private network that names somebody else as the client. Its address stands for all who use the proxy.
// A peer on the internet can't cause this for itself.
func fromUnknownProxy(r *http.Request, trusted []netip.Prefix) bool {
	if r.Header.Get("X-Forwarded-For") == "" {
		return false
	}
	ip, ok := peerAddress(r)
	return !ok || (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()) && !contains(trusted, ip)
}

// CountedAddress returns what limits count an address as: itself, or the /64 of an IPv6 address. A subscriber chooses
// the last 64 bits freely, RFC 6177.
func CountedAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	subscriber, _ := ip.WithZone("").Prefix(64) // no error: an IPv6 address has 64 bits
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

// firstHop returns the first element of a header that each proxy may add to: that of the proxy
// nearest to the client.
func firstHop(values string) string {
	first, _, _ := strings.Cut(values, ",")
	return strings.TrimSpace(first)
}

// requestHost returns the host that the client addressed, as far as trusted proxies forward it.
func requestHost(r *http.Request, trusted []netip.Prefix) string {
	if host := firstHop(r.Header.Get("X-Forwarded-Host")); host != "" {
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && contains(trusted, peer.Addr().Unmap()) {
			return host
		}
	}
	return r.Host
}
