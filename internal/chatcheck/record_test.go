package chatcheck

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"chatapp/internal/chatclient"
)

// announced records an announcement with the given second argument, and returns the lines that it adds.
func (r *record) announced(meta string) (string, error) {
	before := len(r.Lines)
	err := r.event(chatclient.Message{Event: "announcement",
		Args: []json.RawMessage{json.RawMessage(`"words"`), json.RawMessage(meta)}}, true)
	var lines []string
	for _, l := range r.Lines[before:] {
		lines = append(lines, fmt.Sprintf("%s %s %s %v", l.ID, l.Kind, l.From, l.Live))
	}
	return strings.Join(lines, "; "), err
}

func TestSharedAnnouncementAddsALineForEachUser(t *testing.T) {
	r := &record{Record: Record{Name: "Ann"}}
	for _, tt := range []struct{ meta, want string }{
		{`{"kind":"join","name":"Bob","id":"1.x"}`, "1.x join Bob true"},
		{`{"kind":"refused","code":"too_fast"}`, ""},
		{`{"kind":"join","name":"Cid","id":"4.x","names":["Cid","Ann","Dan"],"ids":["2.x","3.x","4.x"]}`,
			"2.x join Cid true; 4.x join Dan true"},
		{`{"kind":"leave","name":"Cid","id":"6.x","names":["Cid","Dan"],"ids":["5.x","6.x"]}`,
			"5.x leave Cid true; 6.x leave Dan true"},
	} {
		if got, err := r.announced(tt.meta); got != tt.want || err != nil {
			t.Errorf("announcement %s adds %q, %v, want %q", tt.meta, got, err, tt.want)
		}
	}
	if _, err := r.announced(`{"kind":"join","id":"8.x","names":["Eve"],"ids":["7.x","8.x"]}`); err == nil {
		t.Error("an announcement of one name with two ids is accepted")
	}
	_, err := r.announced(`{"kind":"leave","name":"Cid","id":"6.x","names":["Bob","Cid"],"ids":["9.x","5.x"]}`)
	if err != nil || len(r.Duplicates) != 1 {
		t.Errorf("a repeated line counts %d duplicates, %v, want 1", len(r.Duplicates), err)
	}
}

func TestProvisionalMessageIsResolved(t *testing.T) {
	event := func(name string, args ...string) chatclient.Message {
		m := chatclient.Message{Event: name}
		for _, arg := range args {
			m.Args = append(m.Args, json.RawMessage(arg))
		}
		return m
	}
	for _, tt := range []struct {
		name     string
		follows  chatclient.Message
		resolved bool
	}{
		{"by its line", event("user message", `"Bob"`, `"hi"`, `{"cid":"k"}`, `"1.x"`), true},
		{"not by another's line", event("user message", `"Cid"`, `"hi"`, `{"cid":"k"}`, `"1.x"`), false},
		{"by a line that says so", event("user message", `"Bobby"`, `"hi"`, `{"replaces":"k"}`, `"1.x"`), true},
		{"by a history", event("history", `"lobby"`, `{"messages":[{"id":"1.x","from":"Bob","cid":"k"}]}`), true},
		{"by a withdrawal", event("withdrawn", `{"key":"k","room":"lobby"}`), true},
		{"not by another's withdrawal", event("withdrawn", `{"key":"l","room":"lobby"}`), false},
	} {
		r := &record{Record: Record{Name: "Ann"}}
		for _, m := range []chatclient.Message{
			event("provisional", `"Bob"`, `"hi"`, `{"key":"k","room":"lobby","time":1}`),
			event("provisional", `"Bob"`, `"hi"`, `{"key":"m","room":"elsewhere","time":1}`),
			tt.follows,
		} {
			if err := r.event(m, true); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if c := r.copy(); (len(c.Unresolved) == 0) != tt.resolved || c.Provisional != 1 {
			t.Errorf("%s: unresolved are %q of %d, want none: %v", tt.name, c.Unresolved, c.Provisional, tt.resolved)
		}
	}
}

// A raw client presents no pid: after a reconnect the server can't know that it has its own messages.
func TestOwnMessageIsAProblemUnlessARawClientHasReconnected(t *testing.T) {
	own := chatclient.Message{Event: "user message"}
	for _, arg := range []string{`"Ann"`, `"text"`, `{}`, `"1.x"`} {
		own.Args = append(own.Args, json.RawMessage(arg))
	}
	for _, tt := range []struct {
		raw        bool
		reconnects int
		want       int
	}{{false, 0, 1}, {false, 1, 1}, {true, 0, 1}, {true, 1, 0}} {
		r := &record{Record: Record{Name: "Ann", Reconnects: tt.reconnects}, raw: tt.raw}
		if err := r.event(own, true); err != nil || len(r.Problems) != tt.want || len(r.Lines) != 0 {
			t.Errorf("raw %v, %d reconnects: %v, problems %q, want %d", tt.raw, tt.reconnects, err, r.Problems, tt.want)
		}
	}
}
