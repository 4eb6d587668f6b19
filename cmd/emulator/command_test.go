package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestParseCommand(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"status", ""}, {" KILL  2 ", ""}, {"partition 1", ""}, {"partition 1 5s", ""}, {"heal", ""},
		{"", "no command"}, {"fly", "no command"}, {"kill", "use: kill N"}, {"kill 1 2", "use: kill N"},
		{"quit now", "use: quit"}, {"partition 1 2 3", "use: partition N [D]"},
	} {
		found, given, err := parseCommand(tt.line)
		if tt.want == "" && (err != nil || found.do == nil || len(given) != len(strings.Fields(tt.line))-1) {
			t.Errorf("parseCommand(%q) = %q, %q, %v", tt.line, found.name, given, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("parseCommand(%q) = %v, want …%s…", tt.line, err, tt.want)
		}
	}
}

func TestParseScheduled(t *testing.T) {
	for _, s := range []string{"10s=kill:2", "10s=kill 2"} {
		if got, err := parseScheduled(s); err != nil || got != (scheduled{10 * time.Second, "kill 2"}) {
			t.Errorf("parseScheduled(%q) = %+v, %v, want kill 2 after 10s", s, got, err)
		}
	}
	for _, s := range []string{"", "10s", "soon=kill:2", "-1s=kill:2", "1s=", "1s=fly", "1s=kill"} {
		if got, err := parseScheduled(s); err == nil {
			t.Errorf("parseScheduled(%q) = %+v, want an error", s, got)
		}
	}
}

// TestPerform has a cluster without instances say what is wrong with arguments.
func TestPerform(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"kill 1", "there is no instance 1"}, {"kill x", `"x" is no number`}, {"scale 999", "no more than 50"},
		{"slow fast", `"fast" is no duration`}, {"busy -1s", `"-1s" is no duration`},
		{"throttle maybe", `"maybe" is no number`},
		{"drop 7", "there is no instance 7"}, {"   ", ""},
	} {
		var out bytes.Buffer
		c := &cluster{console: newConsole(&out, noEnv)}
		c.perform(tt.line)
		if got := out.String(); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("perform(%q) prints %q, want …%s…", tt.line, got, tt.want)
		}
	}
}

func TestParseMetrics(t *testing.T) {
	const text = `# HELP chat_users Users of the whole chat.
# TYPE chat_users gauge
chat_users 3
chat_users_held 9
chat_sessions{a="b c",d="}"} 2
chat_messages_total 40 1700000000000
chat_log_latency_seconds_bucket{le="0.1"} 7
chat_log_latency_seconds_sum 0.5
chat_log_latency_seconds_count 1e2
`
	got, err := parseMetrics(strings.NewReader(text))
	want := metrics{users: 3, sessions: 2, messages: 40, latencySum: 0.5, latencyCount: 100}
	if err != nil || got != want {
		t.Errorf("parseFigures = %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"chat_users\nchat_users x\n", "chat_users \n", "chat_sessions{a=\"b\"}\n"} {
		if got, err := parseMetrics(strings.NewReader(bad)); err == nil {
			t.Errorf("parseFigures(%q) = %+v, want an error", bad, got)
		}
	}
}

func FuzzParseMetrics(f *testing.F) {
	f.Add("chat_users 3\nchat_sessions{a=\"b c\",d=\"}\"} 2\n")
	f.Add("chat_users{ 1}\nchat_users ")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseMetrics(strings.NewReader(text)) // must not panic
	})
}

func TestTotalSince(t *testing.T) {
	at := time.Now()
	before := total{at: at, messages: 10, latencySum: 1, latencyCount: 10, operations: 100}
	now := total{at: at.Add(2 * time.Second), operations: 120}
	now.add(metrics{users: 5, messages: 12, latencySum: 1.1, latencyCount: 20}, true)
	now.add(metrics{users: 4, messages: 4}, false)
	got, want := now.since(before), "1/2 ready · 5 users · 3.0 messages/s · log 10.0 ms · 10.0 operations/s"
	if got != want {
		t.Errorf("since = %q, want %q", got, want)
	}
	// Restarted instances count from 0 again, and a first look has nothing to compare with.
	got, want = (total{at: at.Add(4 * time.Second)}).since(now),
		"0/0 ready · 0 users · 0.0 messages/s · log - · 0.0 operations/s"
	if got != want {
		t.Errorf("since = %q, want %q", got, want)
	}
}

func TestConsolePrefixesLines(t *testing.T) {
	var out bytes.Buffer
	s := newConsole(&out, noEnv)
	w := s.lines(s.name(7))
	for _, piece := range []string{"one\r\ntw", "o\n\n", strings.Repeat("x", maxLine), "rest"} {
		if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("Write = %d, %v, want %d", n, err, len(piece))
		}
	}
	w.finish()
	s.setStatus("not on a terminal")
	s.close()
	want := " 7 | one\n 7 | two\n 7 | \n 7 | " + strings.Repeat("x", maxLine) + "\n 7 | rest\n"
	if got := out.String(); got != want {
		t.Errorf("printed %d bytes %.80q, want %d", len(got), got, len(want))
	}
}
