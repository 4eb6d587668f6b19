package worker

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// wantMetrics checks that a scrape has all lines.
func wantMetrics(t *testing.T, scrape string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(scrape, "\n"+line+"\n") {
			t.Errorf("metrics lack %q", line)
		}
	}
}

// Not parallel: the exporter reads its endpoint from the environment.
func TestOTLPMetricsArePushedAtTheEnd(t *testing.T) {
	received := make(chan string, 16)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		received <- r.URL.Path + " " + string(b)
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	r := start(t, nil, "", "OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	r.end()
	if got := <-received; !strings.HasPrefix(got, "/v1/metrics ") || !strings.Contains(got, "chat.sessions.opened") {
		t.Errorf("the collector got %.80q", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestMetricsAreNamedAndDescribed(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "")
	seen := make(map[string]bool)
	for _, name := range r.worker.MetricNames() {
		if seen[name] || !slices.ContainsFunc([]string{"chat.", "http.server.", "messaging.client."},
			func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("metric %q is listed twice or lacks the prefix", name)
		}
		seen[name] = true
	}
	for _, one := range r.worker.observables() {
		if one.description == "" && one.attributes == nil {
			t.Errorf("metric %q has no description", one.name)
		}
	}
	ann := r.join("Ann")
	ann.send(`{"event":"user message","args":["hello"],"id":2}`)
	var ack struct{ Args []struct{ OK bool } }
	err := json.Unmarshal([]byte(ann.want(`{"ack":2`)), &ack)
	if err != nil || len(ack.Args) != 1 || !ack.Args[0].OK {
		t.Fatalf("ack = %+v, %v", ack, err)
	}
	wantMetrics(t, text(r.get("/metrics")), "chat_messages_total 1", "chat_users 1", "chat_sessions 1",
		"chat_log_latency_seconds_count 1", "chat_ready 1", `chat_instance_state{state="ready"} 1`)
}
