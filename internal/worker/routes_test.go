package worker

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "")
	for _, row := range []struct {
		path   string
		status int
		body   string
	}{
		{"/healthz", 200, "ok\n"},
		{"/readyz", 200, "ready\n"},
		{"/", 200, "<!doctype html>"},
		{"/nothing-here", 404, ""},
		{"/socket.io/?EIO=4", 400, `{"code":0,`},
		{"/socket.io?EIO=4", 400, `{"code":0,`}, // no redirect: a WebSocket could not follow it
		{"/ws", 426, ""},
		{"/ws/", 426, ""},
		{"/ws/more", 404, ""},
		{"/metrics", 200, "# HELP"},
		{"/debug/pprof/", 404, ""},
	} {
		response := r.get(row.path)
		body := strings.ToLower(text(response))
		if response.StatusCode != row.status || !strings.HasPrefix(body, strings.ToLower(row.body)) {
			t.Errorf("GET %s = %d %.60q, want %d %q", row.path, response.StatusCode, body, row.status, row.body)
		}
	}
	page := r.get("/").Header
	csp := page.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if page.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header of the page = %v", page)
	}
	if got := r.get("/metrics", "X-Forwarded-For", "192.0.2.1").StatusCode; got != 404 {
		t.Errorf("metrics through a proxy = %d, want 404", got)
	}
}

// A proxy that does not strip its path reaches everything below it, and probes nothing but the routes themselves.
func TestBasePath(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "BASE_PATH", "/chat")
	for path, want := range map[string]int{
		"/chat/": 200, "/chat/healthz": 200, "/healthz": 200, "/chat/socket.io/?EIO=4&transport=polling": 200,
		"/chat/socket.io/socket.io.js": 200, "/socket.io/socket.io.min.js": 200,
		"/socket.io/?EIO=4&transport=polling": 200, "/chatter": 404, "/chat/chat/": 404,
	} {
		if response := r.get(path); response.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", path, response.StatusCode, want)
		}
	}
	if response := r.get("/chat"); response.Request.URL.Path != "/chat/" || response.StatusCode != 200 {
		t.Errorf("GET /chat leads to %s, %d, want /chat/", response.Request.URL, response.StatusCode)
	}
}

// A cache in front must not go on to say "ready".
func TestProbesAreNotCached(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "")
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if got := r.get(path).Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control of %s = %q, want no-store", path, got)
		}
	}
}

// deadlines records the read deadline that a handler sets.
type deadlines struct {
	*httptest.ResponseRecorder
	read time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read = at
	return nil
}

func TestRequestBodiesHaveADeadline(t *testing.T) {
	handler := limitBodyTime(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, row := range []struct {
		method, body string
		want         bool
	}{
		{"POST", "4hello", true},
		{"GET", "", false}, // a poll or a WebSocket, which may last for hours
	} {
		d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(row.method, "/socket.io/", strings.NewReader(row.body))
		handler.ServeHTTP(d, r)
		left := time.Until(d.read)
		if got := !d.read.IsZero(); got != row.want || got && (left <= 0 || left > requestTimeout) {
			t.Errorf("%s with body %q: read deadline %v, want one: %v", row.method, row.body, d.read, row.want)
		}
	}
}
