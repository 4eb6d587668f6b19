package chatcheck

import (
	"encoding/json"
	"testing"
	"time"
)

func TestLongestAbsenceIsRecorded(t *testing.T) {
	var r record
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	r.disconnected(at(0))
	r.disconnected(at(3)) // another attempt has failed
	r.reconnected(at(5))
	r.disconnected(at(10))
	r.reconnected(at(12))
	r.reconnected(at(20)) // another user had its name for a while; the connection was not lost
	if r.Reconnects != 3 || r.Away != 5*time.Second {
		t.Errorf("Reconnects, Away = %d, %v, want 3, 5s", r.Reconnects, r.Away)
	}
}

// The server sends a token only with the first answer that grants the name. It stays valid.
func TestTokenIsKept(t *testing.T) {
	c := &Client{options: Options{Name: "ann"}, changed: make(chan struct{})}
	for _, answer := range []string{`{"ok":true,"token":"secret"}`, `{"ok":true}`} {
		c.claimed([]json.RawMessage{json.RawMessage("false"), json.RawMessage(answer)})
		if c.credentials.token != "secret" || !c.link.named {
			t.Errorf("after %s: token %q, named %v, want the first token", answer, c.credentials.token, c.link.named)
		}
	}
}
