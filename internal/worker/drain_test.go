package worker

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/waittest"
)

// closeError reads until the connection ends, which must be by a close frame.
func (u *user) closeError() *websocket.CloseError {
	u.t.Helper()
	_ = u.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	for {
		_, _, err := u.conn.ReadMessage()
		if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
			return closed
		}
		if err != nil {
			u.t.Fatalf("read %v, want a close frame", err)
		}
	}
}

func TestDrainReleasesClientsAndLeavesTheCluster(t *testing.T) {
	t.Parallel()
	first, second := startTwo(t, "DRAIN_TIMEOUT", "100ms")
	ann := first.join("Ann")
	first.stop()
	if closed := ann.closeError(); closed.Code != websocket.CloseGoingAway {
		t.Errorf("the client's connection is closed with %v, want %d", closed, websocket.CloseGoingAway)
	}
	first.end()
	waittest.Until(t, "the other is alone", func() bool { return second.members() == 1 })
	if got := second.get("/readyz").StatusCode; got != 200 {
		t.Errorf("the other's readyz = %d, want 200", got)
	}
}

func TestDrainingInstanceIsNotReady(t *testing.T) {
	t.Parallel()
	first, second := startTwo(t, "DRAIN_TIMEOUT", "1h")
	users := []*user{first.join("Ann"), first.join("Bob"), first.join("Cleo")}
	first.stop()
	waittest.Until(t, "the instance is not ready", func() bool {
		response := first.get("/readyz")
		return response.StatusCode == http.StatusServiceUnavailable && text(response) == "draining\n"
	})
	if got := first.get("/healthz").StatusCode; got != 200 {
		t.Errorf("healthz while draining = %d, want 200", got)
	}
	metrics := text(first.get("/metrics"))
	wantMetrics(t, metrics, "chat_ready 0", `chat_instance_state{state="draining"} 1`,
		`chat_instance_state{state="ready"} 0`)

	// Clients that have not been released yet still chat with the others, and hear of the drain only as a close frame.
	bob := second.join("Dora")
	users[0].send(`{"event":"user message","args":["still here"],"id":2}`)
	bob.want(`{"event":"user message","args":["Ann","still here",`)
	users[0].want(`{"ack":2,"args":[{"ok":true`)
	if first.members() != 2 {
		t.Errorf("the instance sees %d members while it drains, want 2: it leaves last", first.members())
	}
	for _, u := range users {
		_ = u.conn.Close()
	}
	first.end()
}

// Without another instance clients could not go anywhere, so they are not kept waiting.
func TestDrainWithoutOthersIsImmediate(t *testing.T) {
	t.Parallel()
	r := start(t, nil, "", "DRAIN_TIMEOUT", "1h")
	ann := r.join("Ann")
	r.stop()
	if closed := ann.closeError(); closed.Code != websocket.CloseGoingAway {
		t.Errorf("the client's connection is closed with %v, want %d", closed, websocket.CloseGoingAway)
	}
	r.end()
}
