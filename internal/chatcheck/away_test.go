package chatcheck

import (
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
