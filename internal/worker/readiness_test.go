package worker

import (
	"net/http"
	"strings"
	"testing"

	"chatapp/internal/waittest"
)

func TestUnreachableServiceBusIsExplained(t *testing.T) {
	t.Parallel()
	r := serve(t, nil, "", "EMULATOR_HTTP_PORT", "1", "AZURE_SERVICEBUS_CONNECTIONSTRING",
		"Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true")
	waittest.Until(t, "readyz says what the worker waits for", func() bool {
		response := r.get("/readyz")
		return response.StatusCode == http.StatusServiceUnavailable && strings.Contains(text(response), "(waiting for")
	})
	if got := r.get("/healthz").StatusCode; got != 200 {
		t.Errorf("healthz = %d, want 200", got)
	}
	wantMetrics(t, text(r.get("/metrics")), "chat_ready 0",
		`chat_instance_state{state="waiting_for_bus"} 1`)
	waittest.Until(t, "the log says what the worker waits for", func() bool {
		return r.log.contains(`msg="instance not ready yet"`) && r.log.contains("state=waiting_for_bus")
	})
}
