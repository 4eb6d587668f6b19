package worker

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// getAs requests a path under a host's name, as after DNS rebinding.
func (r *running) getAs(host, path string) *http.Response {
	r.t.Helper()
	request, err := http.NewRequest("GET", "http://"+r.addr+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Host = host
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response
}

func TestUnknownHostsAreRefusedOnThisMachine(t *testing.T) {
	t.Parallel()
	open := start(t, nil, "")
	listed := start(t, nil, "", "ALLOWED_HOSTS", "chat.test,*.sub.test",
		"ALLOWED_ORIGINS", "https://a.test,https://*.app.test:8443")
	for _, row := range []struct {
		r      *running
		host   string
		status int
	}{
		{open, "localhost:3000", 200}, {open, "127.0.0.1", 200}, {open, "[::1]:3000", 200},
		{open, "192.168.1.5:3000", 200},
		{open, "evil.test", 421}, {open, "localhost.evil.test", 421}, {open, "app.localhost", 200},
		{listed, "chat.test:443", 200}, {listed, "CHAT.test", 200}, {listed, "a.test", 200}, {listed, "evil.test", 421},
		{listed, "x.sub.test", 200}, {listed, "a.b.Sub.test:80", 200}, {listed, "sub.test", 421},
		{listed, "evilsub.test", 421}, {listed, "x.app.test", 200}, {listed, "app.test", 421},
	} {
		if got := row.r.getAs(row.host, "/").StatusCode; got != row.status {
			t.Errorf("GET / of host %s = %d, want %d", row.host, got, row.status)
		}
	}
	if got := open.getAs("evil.test", "/healthz").StatusCode; got != 200 {
		t.Errorf("probe = %d, want 200 whatever host it names", got)
	}
}

var metricsURL = regexp.MustCompile(`msg="serving metrics" .*url=http://(127\.0\.0\.1:\d+)/metrics`)

// With METRICS_PORT nothing on the public port shows internals, whatever headers a proxy sets or leaves out.
func TestMetricsHaveAListenerOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "METRICS_PORT", "0", "HOST", "127.0.0.1")
	for path, status := range map[string]int{"/metrics": 404, "/debug/pprof/": 404, "/readyz": 200} {
		if got := r.get(path).StatusCode; got != status {
			t.Errorf("GET %s on the public port = %d, want %d", path, got, status)
		}
	}
	found := metricsURL.FindStringSubmatch(r.log.String())
	if found == nil {
		t.Fatal("the log has no line with the address of the metrics")
	}
	own := &running{t: t, addr: found[1]}
	for path, part := range map[string]string{
		"/metrics": "chat_sessions", "/readyz": "ready", "/healthz": "ok", "/debug/pprof/": "goroutine",
	} {
		if response := own.get(path); response.StatusCode != 200 || !strings.Contains(text(response), part) {
			t.Errorf("GET %s on the listener of metrics = %s, want 200 and %q", path, response.Status, part)
		}
	}
}

// Without METRICS_PORT only this machine sees them, by no proxy.
func TestMetricsAreHiddenFromProxies(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "ALLOWED_HOSTS", "chat.test")
	if got := r.getAs("chat.test", "/metrics").StatusCode; got != 404 {
		t.Errorf("metrics through a proxy that sets no header = %d, want 404", got)
	}
	for _, header := range proxyHeaders {
		if got := r.get("/metrics", header, "x").StatusCode; got != 404 {
			t.Errorf("metrics through a proxy that sets %s = %d, want 404", header, got)
		}
	}
}

func TestHostPatternsThatMatchNothingAreRefused(t *testing.T) {
	for host, want := range map[string]bool{
		"*": true, "chat.test": true, "*.chat.test": true, "*.": false, "a.*.test": false, "*.*.test": false,
		"höst.test": false, "chat.test:443": false, "https://chat.test": false,
	} {
		_, err := LoadConfig(env("ALLOWED_HOSTS", host))
		if got := err == nil; got != want {
			t.Errorf("ALLOWED_HOSTS=%s is accepted: %v, want %v: %v", host, got, want, err)
		}
	}
}
