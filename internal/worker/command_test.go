package worker

import (
	"context"
	"errors"
	"net"
	"testing"
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
		if got := Main(cancelled, env(row.env...), out, row.listen); got != row.want || !out.contains(row.output) {
			t.Errorf("%s: Main = %d, want %d and output with %q", row.name, got, row.want, row.output)
		}
	}
}
