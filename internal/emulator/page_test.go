package emulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"chatapp/internal/emulator/broker"
)

// TestPageShowsAndChangesTheNamespace sends what the page's script sends, without a token.
func TestPageShowsAndChangesTheNamespace(t *testing.T) {
	t.Parallel()
	c, s := newHTTPClient(t)
	c.token = ""
	s.Queue("queue")
	s.Topic("topic", "sub")
	const html = "text/html,application/xhtml+xml"
	page := c.want("the page", 200, "GET", "/", "", "Accept", html)
	if !strings.Contains(page.body, `<script type="module" src="/$emulator/page/page.js">`) ||
		!strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("the page is %s with %v", page.body, page.header)
	}
	for file, kind := range map[string]string{"page.js": "text/javascript", "page.css": "text/css"} {
		if got := c.want(file, 200, "GET", "/$emulator/page/"+file,
			""); !strings.HasPrefix(got.header.Get("Content-Type"),
			kind) {
			t.Errorf("%s is %s", file, got.header.Get("Content-Type"))
		}
	}
	c.want("not HTML", 401, "GET", "/", "")
	const kind, asJSON = "Content-Type", "application/json"
	c.want("send", 200, "POST", "/$emulator/send",
		`{"path":"topic","body":"{\"a\":1}","contentType":"application/json",`+
			`"properties":{"n":1,"s":"<b>"},"brokerProperties":{"Label":"x"}}`, kind, asJSON)
	c.want("as a form, as a page of another origin could", 415, "POST", "/$emulator/purge", "path=queue", kind,
		"text/plain")
	c.want("bad JSON", 400, "POST", "/$emulator/send", "{", kind, asJSON)
	c.want("to nothing", 404, "POST", "/$emulator/send", `{"path":"nothing"}`, kind, asJSON)
	c.want("peek nothing", 404, "GET", "/$emulator/messages?path=nothing", "")

	var entities struct {
		Entities []struct {
			Kind, Path string
			Counts     broker.Counts
		}
	}
	counts := func() (all []string) {
		t.Helper()
		if err := json.Unmarshal([]byte(c.want("entities", 200, "GET", "/$emulator/entities", "").body),
			&entities); err != nil {
			t.Fatal(err)
		}
		for _, e := range entities.Entities {
			all = append(all, e.Kind+" "+e.Path+strings.Repeat(" +", int(e.Counts.Total)))
		}
		return all
	}
	want := func(what, list string) {
		t.Helper()
		if got := strings.Join(counts(), ", "); got != list {
			t.Errorf("%s: %s, want %s", what, got, list)
		}
	}
	want("after sending", "queue queue, topic topic, subscription topic/Subscriptions/sub +")
	peeked := c.want("peek", 200, "GET", "/$emulator/messages?path=topic/Subscriptions/sub&from=0&count=5", "").body
	var messages []struct {
		SequenceNumber   int64
		Body             string
		Properties       map[string]string
		BrokerProperties map[string]any
	}
	if err := json.Unmarshal([]byte(peeked), &messages); err != nil || len(messages) != 1 ||
		messages[0].Body != `{"a":1}` || messages[0].Properties["s"] != "<b>" || messages[0].Properties["n"] != "1" ||
		messages[0].BrokerProperties["Label"] != "x" {
		t.Errorf("peeked %s, %v", peeked, err)
	}
	source, err := s.Broker().Source("topic/Subscriptions/sub")
	if err != nil {
		t.Fatal(err)
	}
	r, err := source.NewReceiver(broker.ReceiverOptions{Wake: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.SetCredit(1); err != nil {
		t.Fatal(err)
	}
	var got [1]broker.Delivery
	r.Take(got[:])
	if err := source.Settle(got[0].LockToken, broker.Settlement{Outcome: broker.DeadLetter}); err != nil {
		t.Fatal(err)
	}
	c.want("resubmit", 200, "POST", "/$emulator/resubmit", `{"path":"topic/Subscriptions/sub/$DeadLetterQueue"}`,
		kind, asJSON)
	want("resubmitted", "queue queue, topic topic, subscription topic/Subscriptions/sub +")
	c.want("send again", 200, "POST", "/$emulator/send", `{"path":"queue"}`, kind, asJSON)
	c.want("purge", 200, "POST", "/$emulator/purge", `{"path":"topic/Subscriptions/sub"}`, kind, asJSON)
	want("purged", "queue queue +, topic topic, subscription topic/Subscriptions/sub")
	c.want("reset from another origin", 403, "POST", "/reset", "", "Origin", "https://evil.test")
	c.want("reset", 204, "POST", "/reset", "")
	want("reset", "queue queue, topic topic, subscription topic/Subscriptions/sub")
}
