package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatapp/internal/leaktest"
)

// TestMain has more tests run at the same time than there are processors: most of them wait for
// what a server has dropped.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	leaktest.Main(m)
}

// noDeadline lets a control frame take its time.
var noDeadline = time.Time{}

// outcome runs the program against url and returns its report and exit status.
func outcome(t *testing.T, url string, args ...string) (report, int) {
	t.Helper()
	args = append([]string{
		"-json", "-clients", "8", "-senders", "3", "-rate", "1000", "-messages", "150", "-duration", "1m",
		"-warmup", "0s", "-patience", "2s", "-timeout", "30s", "-connecting", "1",
	}, args...)
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), append(args, url), &stdout, &stderr, false)
	var r report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("run(%q) printed %q, %q: %v", args, stdout.String(), stderr.String(), err)
	}
	return r, status
}

func TestCorrectServerPasses(t *testing.T) {
	tests := []struct {
		name   string
		server *chatServer
		args   []string
	}{
		{"socketio", &chatServer{}, []string{"-total-order", "-ack"}},
		{"ws", &chatServer{}, []string{"-door", "ws", "-total-order", "-ack"}},
		{"fragmented", &chatServer{fragments: true}, []string{"-door", "ws"}},
		{"listeners without nickname", &chatServer{}, []string{"-listeners-without-nick"}},
		{"all send", &chatServer{}, []string{"-senders", "8"}},
		{"long texts", &chatServer{}, []string{"-size", "100000", "-messages", "20"}},
		{"max", &chatServer{}, []string{"-mode", "max", "-window", "5"}},
		{"max, window of one", &chatServer{}, []string{"-mode", "max", "-window", "1"}},
		{"max, ws, acks", &chatServer{}, []string{"-mode", "max", "-door", "ws", "-ack"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, status := outcome(t, test.server.start(t), append([]string{"-patience", "20s"}, test.args...)...)
			if status != 0 || !r.OK {
				t.Fatalf("status %d, problems %q", status, r.Problems)
			}
			c := r.Chat
			if c.Sent < 20 || c.Expected != 7*c.Sent || c.Deliveries != c.Expected || c.Latency.Samples == 0 {
				t.Errorf("sent %d, expected %d, delivered %d, timed %d; want 7 deliveries of each",
					c.Sent, c.Expected, c.Deliveries, c.Latency.Samples)
			}
			if c.Latency.P50 <= 0 || c.Latency.P50 > c.Latency.Max {
				t.Errorf("latency %v", c.Latency)
			}
			if r.Mode == "max" && c.PerSecond <= 0 {
				t.Errorf("%v deliveries/s, want more", c.PerSecond)
			}
			if strings.Contains(strings.Join(test.args, " "), "-ack") &&
				(c.Acked != c.Sent || c.AckLatency.Samples == 0) {
				t.Errorf("%d acks of %d messages, %d timed", c.Acked, c.Sent, c.AckLatency.Samples)
			}
		})
	}
}

// onlyTo spoils message number n of one receiver, which does not send.
func onlyTo(n int, spoil func(to *peer, message string) []string) func(*peer, int, string) []string {
	return func(to *peer, count int, message string) []string {
		if to.number == 7 && count == n {
			return spoil(to, message)
		}
		out := append([]string{message}, to.kept...)
		to.kept = nil
		return out
	}
}

// interleave lets a message of a second sender overtake all that have come from a first one since
// the twentieth message, for one receiver, which does not send.
func interleave(to *peer, n int, message string) []string {
	author := func(m string) string { return strings.Split(m, `"`)[3] }
	switch {
	case to.number != 7 || n < 20 || to.released:
		return []string{message}
	case len(to.kept) == 0 || author(message) == author(to.kept[0]):
		to.kept = append(to.kept, message)
		return nil
	}
	to.released = true
	return append([]string{message}, to.kept...)
}

func TestPlantedFaultsAreFound(t *testing.T) {
	drop := onlyTo(20, func(*peer, string) []string { return nil })
	double := onlyTo(20, func(_ *peer, m string) []string { return []string{m, m} })
	damage := onlyTo(20, func(_ *peer, m string) []string {
		return []string{strings.Replace(m, "abcdefgh", "abcdefgx", 1)}
	})
	swap := onlyTo(20, func(to *peer, m string) []string { to.kept = []string{m}; return nil })
	tests := []struct {
		name   string
		server *chatServer
		args   []string
		want   string
		check  func(*chatReport) bool
	}{
		{"drops one", &chatServer{spoil: drop}, nil, "1 of ",
			func(c *chatReport) bool { return c.Lost == 1 && c.ClientsWithLosses == 1 }},
		{"duplicates one", &chatServer{spoil: double}, nil, "1 deliveries duplicated",
			func(c *chatReport) bool { return c.Duplicates == 1 && c.Lost == 0 }},
		{"swaps two of one sender", &chatServer{spoil: swap}, []string{"-senders", "1"}, "out of their sender's order",
			func(c *chatReport) bool { return c.OutOfOrder == 1 && c.Lost == 0 }},
		{"swaps two of two senders", &chatServer{spoil: interleave}, []string{"-total-order"}, "another interleaving",
			func(c *chatReport) bool { return c.OtherOrder == 1 && c.OutOfOrder == 0 && c.Lost == 0 }},
		{"damages one", &chatServer{spoil: damage}, nil, "1 texts damaged",
			func(c *chatReport) bool { return c.Damaged == 1 && c.Lost == 1 }},
		{"refuses messages", &chatServer{refuseAcks: true}, []string{"-ack"}, "refused by their acknowledgement",
			func(c *chatReport) bool { return c.Refused == c.Sent }},
		{"acknowledges nothing", &chatServer{silentAcks: true}, []string{"-ack"}, "not acknowledged",
			func(c *chatReport) bool { return c.Unacked == c.Sent }},
		{"drops all connections", &chatServer{kickAt: 30}, nil, "connections ended",
			func(c *chatReport) bool { return c.Dropped > 0 && c.Lost > 0 }},
		{"drops one, max", &chatServer{spoil: drop}, []string{"-mode", "max", "-window", "4"}, "1 of ",
			func(c *chatReport) bool { return c.Lost == 1 }},
		{"echoes", &chatServer{echo: true}, nil, "came back to their own sender",
			func(c *chatReport) bool { return c.Echoed == c.Sent && c.Lost == 0 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, status := outcome(t, test.server.start(t), test.args...)
			if status != 1 || r.OK {
				t.Errorf("status %d, ok %v; want 1, false", status, r.OK)
			}
			if problems := strings.Join(r.Problems, "; "); !strings.Contains(problems, test.want) {
				t.Errorf("problems %q, want %q among them", problems, test.want)
			}
			if !test.check(r.Chat) {
				t.Errorf("report %+v", *r.Chat)
			}
		})
	}
}

func TestNotAcceptedFails(t *testing.T) {
	t.Parallel()
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	tests := []struct{ name, url, want string }{
		{"nickname refused", (&chatServer{refuseNames: true}).start(t), "nickname \"load-"},
		{"no such endpoint", notFound.URL, "handshake answered 404"},
		{"no server", gone.URL, "connection refused"},
	}
	for _, test := range tests {
		for _, mode := range []string{"chat", "idle", "connect", "storm"} {
			r, status := outcome(t, test.url, "-mode", mode, "-duration", "20ms")
			if problems := strings.Join(r.Problems, "; "); status != 1 || !strings.Contains(problems, test.want) {
				t.Errorf("%s, %s: status %d, problems %q; want 1, %q", test.name, mode, status, problems, test.want)
			}
		}
	}
}

func TestModesWithoutTraffic(t *testing.T) {
	for _, door := range []string{"socketio", "ws"} {
		t.Run(door, func(t *testing.T) {
			t.Parallel()
			url := (&chatServer{}).start(t)
			r, status := outcome(t, url, "-door", door, "-mode", "idle", "-duration", "20ms")
			if status != 0 || r.Idle == nil || r.Idle.Open != 8 || r.Connect.Accepted != 8 {
				t.Errorf("idle: status %d, %q, %+v", status, r.Problems, r.Idle)
			}
			for d := 50 * time.Millisecond; ; d *= 4 { // a busy machine lets nobody in so fast
				r, status = outcome(t, url, "-door", door, "-mode", "connect", "-connecting", "3", "-duration",
					d.String())
				if r.Connect.Accepted >= 3 || d > 10*time.Second {
					break
				}
			}
			if status != 0 || r.Connect.Accepted < 3 || r.Connect.Latency.Samples != uint64(r.Connect.Accepted) {
				t.Errorf("connect: status %d, %q, %+v", status, r.Problems, r.Connect)
			}
			r, status = outcome(t, url, "-door", door, "-mode", "storm")
			if status != 0 || r.Connect.Accepted != 8 {
				t.Errorf("storm: status %d, %q, %+v", status, r.Problems, r.Connect)
			}
		})
	}
}

func TestServerUsage(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("-pid needs the proc file system of Linux")
	}
	url := (&chatServer{}).start(t)
	r, status := outcome(t, url, "-mode", "idle", "-duration", "20ms", "-pid", strconv.Itoa(os.Getpid()))
	if status != 0 || r.Server == nil || r.Server.ResidentBytes == 0 {
		t.Errorf("status %d, %q, %+v; want the memory of the process", status, r.Problems, r.Server)
	}
	// The highest process number there is (kernel/threads.h) and one more.
	r, status = outcome(t, url, "-mode", "idle", "-duration", "20ms", "-pid", "4194305")
	if status != 1 || len(r.Problems) != 1 || r.Server != nil {
		t.Errorf("status %d, %q, %+v; want the one problem that there is no such process", status, r.Problems, r.Server)
	}
}

func TestHeartbeatsAreAnswered(t *testing.T) {
	t.Parallel()
	for _, door := range []string{"socketio", "ws"} {
		server := &chatServer{}
		url := server.start(t)
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), []string{
			"-door", door, "-mode", "idle", "-clients", "3", "-duration", "10ms", "-warmup", "0s", url,
		}, &stdout, &stderr, true)
		if status != 0 || !strings.Contains(stdout.String(), "3 open") || !strings.HasSuffix(stdout.String(), "ok\n") {
			t.Errorf("idle by %s: status %d, printed %q, %q", door, status, stdout.String(), stderr.String())
		}
		server.mu.Lock()
		if server.pongs != 3 {
			t.Errorf("idle by %s: %d heartbeats answered, want 3", door, server.pongs)
		}
		server.mu.Unlock()
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(&chatServer{})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	r, status := outcome(t, server.URL, "-insecure", "-ack", "-total-order", "-size", "50000", "-messages", "20")
	if status != 0 {
		t.Errorf("status %d, problems %q", status, r.Problems)
	}
	r, status = outcome(t, server.URL)
	if problems := strings.Join(r.Problems, "; "); status != 1 || !strings.Contains(problems, "certificate") {
		t.Errorf("without -insecure: status %d, problems %q; want 1, the certificate", status, problems)
	}
}

func TestInterruptEndsTheRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := &chatServer{spoil: func(_ *peer, n int, message string) []string {
		if n == 3 {
			cancel()
		}
		return []string{message}
	}}
	var stdout, stderr bytes.Buffer
	// A run that ignored the context would take an hour.
	run(ctx, []string{"-clients", "5", "-duration", "1h", server.start(t)}, &stdout, &stderr, false)
	if !strings.Contains(stdout.String(), "connected    5") || !strings.Contains(stdout.String(), "delivered") {
		t.Errorf("interrupted, it printed %q, %q; want the report", stdout.String(), stderr.String())
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{nil, "no URL"},
		{[]string{"ftp://localhost"}, "want an http, https, ws or wss URL"},
		{[]string{"http://"}, "no host"},
		{[]string{"-mode", "nonsense", "http://localhost"}, "-mode"},
		{[]string{"-door", "nonsense", "http://localhost"}, "-door"},
		{[]string{"-size", "5", "http://localhost"}, "-size 5"},
		{[]string{"-clients", "1", "http://localhost"}, "no client receives its own messages"},
		{[]string{"-clients", "4", "-senders", "4", "-total-order", "http://localhost"}, "-total-order"},
		{[]string{"-pid", "self", "http://localhost"}, "-pid \"self\""},
		{[]string{"-window", "0", "-connecting", "0", "http://localhost"}, "-connecting 0: want at least 1\n-window 0"},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), test.args, &stdout, &stderr, false); status != 2 ||
			!strings.Contains(stderr.String(), test.want) {
			t.Errorf("run(%q) = %d, %q; want 2, %q", test.args, status, stderr.String(), test.want)
		}
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &stdout, &stderr, false); status != 0 ||
		!strings.Contains(stderr.String(), "usage: loadtest") {
		t.Errorf("run(-h) = %d, %q; want 0 and the usage", status, stderr.String())
	}
}
