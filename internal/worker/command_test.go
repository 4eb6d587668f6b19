package worker

import (
	"context"
	"encoding/json"
	"errors"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"

	"chatapp/internal/waittest"
)

func TestMainReturnsExitStatus(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	errTaken := errors.New("address in use")
	loopback := func(Config) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	for _, row := range []struct {
		name   string
		env    []string
		listen func(Config) (net.Listener, error)
		want   int
		output string
	}{
		{"bad variable", []string{"PORT", "x"}, loopback, exitUsage, "PORT"},
		{"bad connection string", []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", "x"}, loopback, exitUsage,
			"service bus"},
		{"port taken", nil, func(Config) (net.Listener, error) { return nil, errTaken }, exitFailure,
			"address in use"},
		{"orderly end", nil, loopback, 0, "worker ended"},
	} {
		out := &logBuffer{out: t.Output()}
		row.env = append(row.env, "GOGC", "100") // leave the test's own collector alone
		settings := env(append([]string{"STORE", "none"}, row.env...)...)
		if got := Main(cancelled, settings, out, row.listen); got != row.want || !out.contains(row.output) {
			t.Errorf("%s: Main = %d, want %d and output with %q", row.name, got, row.want, row.output)
		}
	}
}

func TestCommandAnswersItsArguments(t *testing.T) {
	loopback := func(Config) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	secret := []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", "Endpoint=sb://x.servicebus.windows.net/;" +
		"SharedAccessKeyName=n;SharedAccessKey=hidden"}
	for _, row := range []struct {
		args, env []string
		want      int
		output    string
	}{
		{[]string{"-h"}, nil, 0, "usage: worker"},
		{[]string{"--version"}, nil, 0, Version()},
		{[]string{"--port", "80"}, nil, exitUsage, `unknown arguments ["--port" "80"]`},
		{[]string{"serve"}, nil, exitUsage, "usage: worker"},
		{[]string{"check"}, secret, 0, "AZURE_SERVICEBUS_CONNECTIONSTRING         ***"},
		{[]string{"check"}, []string{"PORT", "8080"}, 0, "PORT                                      8080"},
		{[]string{"check"}, []string{"PORT", "x"}, exitUsage, "1 settings cannot work:\nPORT: "},
		{[]string{"check"}, []string{"AZURE_SERVICEBUS_CONNECTIONSTRING", "x"}, exitUsage, "service bus"},
	} {
		out := &logBuffer{out: t.Output()}
		got := Command(t.Context(), row.args, env(row.env...), out, out, loopback)
		if got != row.want || !out.contains(row.output) || out.contains("hidden") {
			t.Errorf("worker %q = %d, want %d and output with %q and without the secret",
				row.args, got, row.want, row.output)
		}
	}
}

// A log collector that reads JSON gets nothing else, whatever fails: settings, the bus, the collector of metrics,
// the handler of a request.
func TestJSONLogIsJSON(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	defer otel.SetErrorHandler(otel.GetErrorHandler())
	run := func(pairs ...string) {
		ctx, cancel := context.WithCancel(t.Context())
		out := &logBuffer{out: t.Output()}
		ended := make(chan struct{})
		address := make(chan string, 1)
		go func() {
			defer close(ended)
			Main(ctx, env(append(pairs, "STORE", "none",
				"LOG_FORMAT", "json", "LOG_LEVEL", "debug", "GOGC", "100")...), out,
				func(Config) (net.Listener, error) {
					listener, err := net.Listen("tcp", "127.0.0.1:0")
					if err == nil {
						address <- listener.Addr().String()
					}
					return listener, err
				})
		}()
		select {
		case a := <-address:
			if response, err := http.Get("http://" + a + "/readyz"); err == nil {
				_ = response.Body.Close()
			}
			waittest.Until(t, "the log says why the worker is not ready",
				func() bool { return out.contains("not ready") })
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		case <-ended:
		}
		cancel()
		<-ended
		lines := 0
		for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
			var record struct {
				Time  time.Time
				Level string
				Msg   string
			}
			if err := json.Unmarshal([]byte(line), &record); err != nil ||
				record.Time.IsZero() || record.Level == "" || record.Msg == "" {
				t.Errorf("%q is no record with a time, a level and a message: %v", line, err)
			}
			lines++
		}
		if lines == 0 {
			t.Errorf("%q: nothing is logged", pairs)
		}
	}
	run("PORT", "x", "LOG_LEVEL", "info", "MAX_SESSIONS", "y")
	run("AZURE_SERVICEBUS_CONNECTIONSTRING", "x")
	run("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "EMULATOR_HTTP_PORT", "1",
		"AZURE_SERVICEBUS_CONNECTIONSTRING",
		"Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true")
}

func TestLogNamesUnitsAndLevels(t *testing.T) {
	out := &logBuffer{out: t.Output()}
	log := NewLogger(out, LogConfig{Format: "json"})
	log.Info("waited", "for", 1500*time.Millisecond)
	server := stdlog.New(httpLog{log}, "", 0)
	server.Print("http: Accept error: too many open files; retrying in 5ms")
	server.Print("http: TLS handshake error from 192.0.2.1") // a client's mistake
	if text := out.String(); !strings.Contains(text, `"for":"1.5s"`) ||
		!strings.Contains(text, `"level":"ERROR","msg":"HTTP server","err":"http: Accept error`) ||
		strings.Contains(text, "192.0.2.1") {
		t.Errorf("the log is\n%s", text)
	}
}
