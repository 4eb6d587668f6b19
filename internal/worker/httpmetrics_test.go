package worker

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Requests are measured by route, method and status: by names of OpenTelemetry's conventions, of which there are few
// whatever clients ask for.
func TestRequestsAreMeasured(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "BASE_PATH", "/chat")
	r.join("Ann")
	r.get("/chat/healthz")
	r.get("/none/such")
	request, _ := http.NewRequest("BREW", "http://"+r.addr+"/socket.io/?EIO=5&transport=polling", nil)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	scrape := text(r.get("/metrics"))
	for _, labels := range []string{
		`http_request_method="GET",http_response_status_code="101",http_route="/ws",network_protocol_version="1.1",`,
		`http_request_method="GET",http_response_status_code="200",http_route="/healthz",`,
		`http_request_method="GET",http_response_status_code="404",http_route="/",`,
		`http_request_method="_OTHER",http_response_status_code="400",http_route="/socket.io/",`,
	} {
		if !strings.Contains(scrape, "\nhttp_server_request_duration_seconds_count{"+labels) {
			t.Errorf("metrics lack a request with %s", labels)
		}
	}
	wantMetrics(t, scrape, `http_server_active_requests{http_request_method="GET",url_scheme="http"} 1`)
}

// BenchmarkMeasure is what measuring adds to a request.
func BenchmarkMeasure(b *testing.B) {
	m, err := newMetrics(b.Context(), Config{}, "a", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	handler := m.http.measure(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	request := httptest.NewRequest("GET", "/socket.io/?EIO=4&transport=polling", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(nil, request)
	}
}
