package engineio

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// Engine.IO v4, "Handshake", and the codes of the reference server.
func TestRefusalsCarryTheProtocolsCodes(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	_, target := h.openPolling()
	ws := h.webSocket(webSocketURL)
	for _, row := range []struct {
		why, method, target string
		status              int
		body                string
	}{
		{"no transport", "GET", "/engine.io/?EIO=4", 400, `{"code":0,"message":"Transport unknown"}`},
		{"unknown transport", "GET", "/engine.io/?EIO=4&transport=abc", 400,
			`{"code":0,"message":"Transport unknown"}`},
		{"unknown sid", "GET", pollingURL + "&sid=none", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"unknown sid, posting", "POST", pollingURL + "&sid=none", 400, `{"code":1,"message":"Session ID unknown"}`},
		{"handshake by POST", "POST", pollingURL, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"handshake by PUT", "PUT", pollingURL, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"handshake by CONNECT-like method", "BREW", pollingURL, 400, `{"code":2,"message":"Bad handshake method"}`},
		{"session by PUT", "PUT", target, 400, `{"code":3,"message":"Bad request"}`},
		{"session by DELETE", "DELETE", target, 400, `{"code":3,"message":"Bad request"}`},
		{"websocket without upgrade", "GET", webSocketURL, 400, `{"code":3,"message":"Bad request"}`},
		{"polling a WebSocket's session", "GET", pollingURL + "&sid=" + ws.sid, 400,
			`{"code":3,"message":"Bad request"}`},
		{"posting to a WebSocket's session", "POST", pollingURL + "&sid=" + ws.sid, 400,
			`{"code":3,"message":"Bad request"}`},
		{"semicolon is no separator", "GET", "/engine.io/?EIO=4;transport=polling", 400,
			`{"code":0,"message":"Transport unknown"}`},
		{"no version", "GET", "/engine.io/?transport=polling", 400,
			`{"code":5,"message":"Unsupported protocol version"}`},
		{"unknown version", "GET", "/engine.io/?EIO=abc&transport=polling", 400,
			`{"code":5,"message":"Unsupported protocol version"}`},
		{"protocol 3 while off", "GET", "/engine.io/?EIO=3&transport=polling", 400,
			`{"code":5,"message":"Unsupported protocol version"}`},
	} {
		h.want(row.why, row.method, row.target, "", row.status, row.body)
	}
	h.want("the session has come to no harm", "POST", target, "4x", 200, "ok")
	ws.send("4y")
	ws.want("nor has the WebSocket", "4y")
	ws.hangUp()
}

func TestOpenPacketListsUpgradesAndLimits(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	a := h.get(pollingURL)
	sid := sidOf(t, a.body)
	want := `0{"sid":"` + sid +
		`","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	if a.body != want || a.header.Get("Content-Type") != "text/plain; charset=UTF-8" ||
		a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("handshake = %q %v, want %q", a.body, a.header, want)
	}
	s := h.rawWebSocket(webSocketURL)
	if open := s.readText(); !strings.Contains(open, `"upgrades":[],`) {
		t.Errorf("open packet over WebSocket = %q", open)
	}
	s.hangUp()
}

func TestSessionIDsCannotBeGuessed(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		sid := newSID()
		if len(sid) != 20 || seen[sid] {
			t.Fatalf("sid %q is short or was there before", sid)
		}
		seen[sid] = true
	}
}

func TestOnlyAllowedOriginsAreLetIn(t *testing.T) {
	for _, row := range []struct {
		allowed []string
		origin  string
		status  int
		cors    string
	}{
		{nil, "", 200, ""},
		{nil, "http://chat.test", 200, ""},
		{nil, "https://CHAT.test", 200, ""},
		{nil, "https://evil.test", 403, ""},
		{nil, "https://chat.test.evil.test", 403, ""},
		{nil, "null", 403, ""},
		{[]string{"https://app.test"}, "https://app.test", 200, "https://app.test"},
		{[]string{"https://app.test"}, "http://app.test", 403, ""},
		{[]string{"https://app.test"}, "http://chat.test", 200, ""},
		{[]string{"*"}, "https://evil.test", 200, "*"},
		{nil, "https://chat.test:443", 200, ""},
		{nil, "https://chat.test:8443", 403, ""},
		{[]string{"https://app.test:443"}, "https://app.test", 200, "https://app.test"},
		{[]string{"http://app.test:80"}, "https://app.test", 403, ""},
		{[]string{"https://*.app.test"}, "https://a.b.app.test", 200, "https://a.b.app.test"},
		{[]string{"https://*.app.test"}, "https://app.test", 403, ""},
		{[]string{"https://*.app.test"}, "https://evilapp.test", 403, ""},
		{[]string{"https://*.app.test"}, "https://*.app.test", 403, ""},
		{[]string{"https://*.app.test"}, "https://a.app.test:8443", 403, ""},
		{[]string{"null"}, "null", 200, "null"},
		{[]string{"file://"}, "file://", 200, "file://"},
		{[]string{"null"}, "file://", 403, ""},
		{[]string{"capacitor://localhost"}, "capacitor://localhost", 200, "capacitor://localhost"},
	} {
		h := serve(t, Options{AllowedOrigins: row.allowed, CloseTimeout: shortClose})
		var header []string
		if row.origin != "" {
			header = []string{"Origin", row.origin}
		}
		a := h.request(t.Context(), "GET", pollingURL, "", header...)
		if a.status != row.status || a.header.Get("Access-Control-Allow-Origin") != row.cors {
			t.Errorf("allowed %q, Origin %q: %d, CORS %q, want %d, %q", row.allowed, row.origin, a.status,
				a.header.Get("Access-Control-Allow-Origin"), row.status, row.cors)
		}
		upgrade := append(header, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
			"Sec-WebSocket-Key", "x")
		for _, target := range []string{webSocketURL, "/ws"} {
			// The key is wrong, so that one let in is answered 400 and no session is left open.
			want := map[int]int{200: 400, 403: 403}[row.status]
			if a := h.request(t.Context(), "GET", target, "", upgrade...); a.status != want {
				t.Errorf("allowed %q, Origin %q, upgrade of %s: %d, want %d", row.allowed, row.origin, target,
					a.status, want)
			}
		}
	}
}

func TestOriginsThatCanMatchNothingAreRefused(t *testing.T) {
	for _, origin := range []string{"example.com", "https://", "https://*", "https://*example.com", "https://*.",
		"https://a.*.com", "https://example.com/", "https://example.com:*", "https://bücher.example", "file:///x", "",
		"https://u@example.com", "https://example.com:0"} {
		if CheckOrigin(origin) == nil {
			t.Errorf("CheckOrigin(%q) = nil, want an error", origin)
		}
	}
}

// Some proxies write the default port out.
func TestDefaultPortsOfHostAndOriginAreOne(t *testing.T) {
	var log bytes.Buffer
	server := NewServer(nil, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for host, want := range map[string]bool{"app.test:443": true, "APP.test:80": true, "app.test": true,
		"app.test:444": false, "other.test": false} {
		r := newRequest("192.0.2.1:5")
		r.Host = host
		r.Header.Set("Origin", "https://app.test")
		if got := server.admitOrigin(httptest.NewRecorder(), r); got != want {
			t.Errorf("Origin https://app.test at Host %s: let in %v, want %v", host, got, want)
		}
	}
	if n := server.Stats().Origins; n != 2 {
		t.Errorf("Stats().Origins = %d, want 2", n)
	}
	if n := strings.Count(log.String(), "origin refused"); n != 1 {
		t.Errorf("two refusals at once are logged %d times, want once:\n%s", n, &log)
	}
}

// The browser's origin is compared with the host that it addressed, as trusted proxies forward it;
// other peers are not believed.
func TestForwardedHostCountsFromTrustedProxiesOnly(t *testing.T) {
	server := NewServer(nil, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, row := range []struct {
		remote, forwarded string
		want              bool
	}{
		{"10.0.0.1:5", "app.test", true},
		{"10.0.0.1:5", "app.test, inner.test", true},
		{"10.0.0.1:5", "evil.test", false},
		{"10.0.0.1:5", "", false},
		{"192.0.2.1:5", "app.test", false},
	} {
		r := newRequest(row.remote)
		r.Header.Set("Origin", "https://app.test")
		r.Header.Set("X-Forwarded-Host", row.forwarded)
		if got := server.originAllowed(r); got != row.want {
			t.Errorf("origin from %s, forwarded host %q: allowed %v, want %v", row.remote, row.forwarded, got, row.want)
		}
	}
}

func TestPreflightIsAnsweredToAllowedOrigins(t *testing.T) {
	h := serve(t, Options{AllowedOrigins: []string{"https://app.test"}})
	a := h.request(t.Context(), "OPTIONS", pollingURL, "", "Origin", "https://app.test",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-custom")
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "https://app.test",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST",
		"Access-Control-Allow-Headers":     "content-type,x-custom",
	} {
		if a.status != 204 || a.header.Get(name) != want {
			t.Errorf("preflight = %d, %s %q, want 204, %q", a.status, name, a.header.Get(name), want)
		}
	}
	if a := h.request(t.Context(), "OPTIONS", pollingURL, "", "Origin", "https://evil.test"); a.status != 403 {
		t.Errorf("preflight from elsewhere = %d, want 403", a.status)
	}
}

func TestSessionsAboveTheLimitsAreRefused(t *testing.T) {
	h := serve(t, Options{
		CloseTimeout: shortClose, MaxSessionsPerAddress: 2, MaxSessions: 3,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	from := func(address string) int {
		a := h.request(t.Context(), "GET", pollingURL, "", "X-Forwarded-For", address)
		if refused := a.status != 200; refused != (a.header.Get("Retry-After") != "") {
			t.Errorf("answer %d to %s has Retry-After %q", a.status, address, a.header.Get("Retry-After"))
		}
		return a.status
	}
	for i, row := range []struct {
		address string
		status  int
	}{{"192.0.2.1", 200}, {"192.0.2.1", 200}, {"192.0.2.1", 429}, {"192.0.2.2", 200}, {"192.0.2.3", 503}} {
		if got := from(row.address); got != row.status {
			t.Errorf("session %d from %s = %d, want %d", i, row.address, got, row.status)
		}
	}
	s := h.session()
	s.Close(ErrClientClosed)
	h.wantClosed(s.ID(), ErrClientClosed)
	h.get(pollingURL + "&sid=" + s.ID()) // takes the last packet, and with it the session is gone
	if got := from("192.0.2.2"); got != 200 {
		t.Errorf("session after one has ended = %d, want 200", got)
	}
}

// A client with one IPv6 address can use 2^64 of them.
func TestIPv6SubnetCountsAsOneAddress(t *testing.T) {
	for _, row := range []struct{ address, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2::1", "2001:db8:1:2::/64"},
		{"2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"pipe", "pipe"},
	} {
		if got := CountedAddress(row.address); got != row.want {
			t.Errorf("CountedAddress(%s) = %s, want %s", row.address, got, row.want)
		}
	}
	h := serve(t, Options{
		CloseTimeout: shortClose, MaxSessionsPerAddress: 2,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	for _, row := range []struct {
		address string
		status  int
	}{{"2001:db8::1", 200}, {"2001:db8::2", 200}, {"2001:db8::3", 429}, {"2001:db8:0:1::1", 200}} {
		got := h.request(t.Context(), "GET", pollingURL, "", "X-Forwarded-For", row.address).status
		if got != row.status {
			t.Errorf("session from %s = %d, want %d", row.address, got, row.status)
		}
	}
	s := h.session()
	for _, s := range h.server.all() {
		s.Close(ErrTransportClosed)
	}
	h.wantClosed(s.ID(), ErrTransportClosed)
	if left := len(h.server.addresses); left > 0 { // nobody else is there to change it
		t.Errorf("%d addresses are counted when all sessions are gone", left)
	}
}

func TestClientAddressIsForwardedByTrustedProxiesOnly(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, row := range []struct {
		remote, forwarded string
		want              string
	}{
		{"192.0.2.1:5", "", "192.0.2.1"},
		{"192.0.2.1:5", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1:5", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:5", "198.51.100.1, 10.2.3.4", "198.51.100.1"},
		{"10.0.0.1:5", "203.0.113.9, 198.51.100.1, 10.2.3.4", "198.51.100.1"},
		{"10.0.0.1:5", "198.51.100.1:4711", "198.51.100.1"},
		{"[::1]:5", "[2001:db8::1]:4711", "2001:db8::1"},
		{"[::ffff:10.0.0.1]:5", "2001:db8::1", "2001:db8::1"},
		{"10.0.0.1:5", "garbage", "10.0.0.1"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"pipe", "198.51.100.1", "pipe"},
	} {
		r := newRequest(row.remote)
		if row.forwarded != "" {
			r.Header.Set("X-Forwarded-For", row.forwarded)
		}
		if got := clientAddress(r, trusted); got != row.want {
			t.Errorf("clientAddress(%s, forwarded %q) = %s, want %s", row.remote, row.forwarded, got, row.want)
		}
	}
}

func TestHandshakeDescribesTheRequest(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL+"&room=a%20b", "X-Custom", "one", "Cookie", "c=1")
	got := h.session().Handshake()
	if got.Query().Get("room") != "a b" || got.Header().Get("X-Custom") != "one" ||
		got.Header().Get("Cookie") != "c=1" ||
		got.Header().Get("Sec-Websocket-Key") != "" ||
		got.RemoteAddr != "127.0.0.1" {
		t.Errorf("handshake = %+v, header %v", got, got.Header())
	}
	s.hangUp()
}
