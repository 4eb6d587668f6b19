package socketio

import (
	"fmt"
	"testing"
)

// Clients that are cut off and come back again and again leave nothing behind.
func TestMemoryForgetsSessions(t *testing.T) {
	r := NewMemoryRecovery(0, 0)
	const clients, times = 10, 1000
	r.Keep(Session{Namespace: "/", PID: "pid0"}) // who stays away
	for i := range (clients - 1) * times {
		r.Keep(Session{Namespace: "/", PID: fmt.Sprint("pid", 1+i%(clients-1))})
	}
	if len(r.sessions) != clients || len(r.leaving) > 3*clients+maxForgotten {
		t.Errorf("%d sessions, and %d entries to forget, of %d clients", len(r.sessions), len(r.leaving), clients)
	}
	if r.bytes != clients*overhead {
		t.Errorf("%d bytes counted, want %d", r.bytes, clients*overhead)
	}
}
