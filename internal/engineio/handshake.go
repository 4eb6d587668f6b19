package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Handshake describes a client by the request that opened its session. It never changes.
type Handshake struct {
	// RemoteAddr is the client's address without port; behind trusted proxies the one that they
	// forward.
	RemoteAddr string
	// Counted is what limits count the client's address as, see [CountedAddress]. It is "" where the address is not
	// known: the request came through a proxy that is not among the trusted ones.
	Counted string

	rawQuery string
	headers  string // alternate lines of names and values: a map would cost an idle session several times as much
}

// Query parses the request's query parameters, at each call. Of a query of more than 512 bytes it has the short ones.
func (h *Handshake) Query() url.Values {
	return parseQuery(h.rawQuery)
}

// Header returns a copy of the request's header as far as [Options.Headers] keeps it, without the fields of the
// WebSocket handshake.
func (h *Handshake) Header() http.Header {
	header := make(http.Header)
	for rest := h.headers; rest != ""; {
		var name, value string
		name, rest, _ = strings.Cut(rest, "\n")
		value, rest, _ = strings.Cut(rest, "\n")
		header.Add(name, value)
	}
	return header
}

func (s *Server) newHandshake(r *http.Request) Handshake {
	addr, counted := s.address(r)
	var lines []byte // no field contains a line break: it would end it
	for name, values := range r.Header {
		if connectionHeader(name) || s.options.Headers != nil && !slices.Contains(s.options.Headers, name) {
			continue
		}
		for _, value := range values {
			lines = append(append(append(append(lines, name...), '\n'), value...), '\n')
		}
	}
	return Handshake{RemoteAddr: addr, Counted: counted, rawQuery: keep(r.URL.RawQuery), headers: string(lines)}
}

// address returns the address of a request's client, and what limits count it as.
func (s *Server) address(r *http.Request) (addr, counted string) {
	addr = clientAddress(r, s.options.TrustedProxies)
	if fromUnknownProxy(r, s.options.TrustedProxies) {
		s.foundProxy(r)
		return addr, ""
	}
	if counted = CountedAddress(addr); counted == addr {
		counted = addr // one string in memory
	}
	return addr, counted
}

// keep copies a query, so that it does not keep the request in memory. The query of most clients
// needs no copy.
func keep(rawQuery string) string {
	const usual = "EIO=4&transport=websocket"
	if rawQuery == usual {
		return usual
	}
	if len(rawQuery) > maxKeptQuery {
		return keepShort(rawQuery)
	}
	return strings.Clone(rawQuery)
}

// maxKeptQuery bounds in bytes what is kept of a query.
const maxKeptQuery = 512

// keepShort returns the parameters of a long query that are short.
func keepShort(rawQuery string) string {
	var kept []byte
	for parameter := range strings.SplitSeq(rawQuery, "&") {
		if len(parameter) <= maxKeptQuery/8 && len(kept)+len(parameter) < maxKeptQuery {
			kept = append(append(kept, parameter...), '&')
		}
	}
	return string(kept)
}

// connectionHeader reports whether a header field describes one connection and not the client.
func connectionHeader(name string) bool {
	switch name {
	case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		return true
	}
	return false
}

// newSID returns an identifier that can't be guessed: anybody who knows the sid of a polling
// session can speak as its client.
func newSID() string {
	var b [15]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// openPacket returns the packet that opens a session. Engine.IO v4, "Handshake".
func (s *Server) openPacket(sid string, protocol Protocol, transport transport) []byte {
	b := make([]byte, 0, 128)
	b = append(b, byte(packetOpen))
	b = append(b, `{"sid":"`...)
	b = append(b, sid...)
	b = append(b, `","upgrades":[`...)
	if transport == transportPolling {
		b = append(b, `"websocket"`...)
	}
	b = append(b, `],"pingInterval":`...)
	b = strconv.AppendInt(b, s.options.PingInterval.Milliseconds(), 10)
	b = append(b, `,"pingTimeout":`...)
	b = strconv.AppendInt(b, s.options.PingTimeout.Milliseconds(), 10)
	if protocol == V4 { // protocol 3 has no maxPayload
		b = append(b, `,"maxPayload":`...)
		b = strconv.AppendInt(b, int64(s.options.MaxMessageSize), 10)
	}
	return append(b, '}')
}
