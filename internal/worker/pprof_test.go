package worker

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"chatapp/internal/waittest"
)

var pprofURL = regexp.MustCompile(`msg="serving profiles" .*url=(http://127\.0\.0\.1:\d+/debug/pprof/)`)

func TestProfilesAreServedOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "PPROF_PORT", "0")
	found := pprofURL.FindStringSubmatch(r.log.String())
	if found == nil {
		t.Fatal("the log has no line with the address of the profiles")
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(path string) (int, string) {
		t.Helper()
		response, err := client.Get(found[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for path, want := range map[string]string{
		"": "full goroutine stack dump", "goroutine?debug=1": "goroutine profile:", "heap?debug=1": "heap profile:",
		"cmdline": "worker", "symbol": "num_symbols",
	} {
		if status, body := get(path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("GET /debug/pprof/%s = %d %.80q, want 200 and %q", path, status, body, want)
		}
	}
	if got := r.get("/debug/pprof/").StatusCode; got != 404 {
		t.Errorf("profiles on the public port = %d, want 404", got)
	}

	// A CPU profile under way must not delay the end.
	profile := make(chan error, 1)
	go func() {
		response, err := client.Get(found[1] + "profile?seconds=3600")
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		profile <- err
	}()
	waittest.Until(t, "the CPU profile is under way", func() bool {
		_, stacks := get("goroutine?debug=2")
		return strings.Contains(stacks, "net/http/pprof.Profile(")
	})
	r.end() // though the profile was to take an hour
	<-profile
	if _, err := client.Get(found[1]); err == nil {
		t.Error("profiles are served after the worker's end")
	}
}

func TestProfilesAreOffByDefault(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "")
	if r.log.contains("profiles") {
		t.Error("the log speaks of profiles, though PPROF_PORT is not set")
	}
}

func TestProfilesRefuseOtherAddresses(t *testing.T) {
	r := &logBuffer{out: t.Output()}
	if p, err := startPprof("0.0.0.0:0", NewLogger(r, LogConfig{})); err == nil {
		_ = p.shutdown(t.Context())
		t.Error("profiles are served on all interfaces, want an error")
	}
}

func TestTakenPprofPortIsAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	status := 0
	log := &logBuffer{out: t.Output()}
	public := make(chan net.Listener, 1)
	status = Main(t.Context(), env("PPROF_PORT", port, "PORT", "0"), log, func(c Config) (net.Listener, error) {
		listener, err := Listen(c)
		public <- listener
		return listener, err
	})
	if status != exitFailure || !log.contains("PPROF_PORT") {
		t.Errorf("with the port of PPROF_PORT taken Main = %d, want %d and a log line", status, exitFailure)
	}
	if _, err := (<-public).Accept(); err == nil {
		t.Error("the public listener is still open")
	}
}
