package chatcheck

import (
	"encoding/json"
	"testing"
	"time"
)

func TestAway(t *testing.T) {
	var r record
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	r.away(at(0))
	r.away(at(3)) // another attempt has failed
	r.back(at(5))
	r.away(at(10))
	r.back(at(12))
	r.back(at(20)) // its name had been another's for a while, its connection was not lost
	if r.Returns != 3 || r.Away != 5*time.Second {
		t.Errorf("Returns, Away = %d, %v, want 3, 5s", r.Returns, r.Away)
	}
}

// An answer that gives a name again tells no token: the one there is stays good.
func TestTokenIsKept(t *testing.T) {
	c := &Client{options: Options{Name: "ann"}, changed: make(chan struct{})}
	for _, answer := range []string{`{"ok":true,"token":"secret"}`, `{"ok":true}`} {
		c.claimed([]json.RawMessage{json.RawMessage("false"), json.RawMessage(answer)})
		if c.token != "secret" || !c.named {
			t.Errorf("after %s: token %q, named %v, want the token told first", answer, c.token, c.named)
		}
	}
}
