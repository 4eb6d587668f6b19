package engineio

import (
	"bytes"
	"net/http/httptest"
	"strings"
	"testing"

	"chatapp/internal/waittest"
)

// openLocals opens sessions whose clients take nothing.
func openLocals(t *testing.T, server *Server, n int) []*Local {
	t.Helper()
	locals := make([]*Local, n)
	for i := range locals {
		var err error
		if locals[i], err = server.OpenLocal(V4); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(locals[i].Lose)
	}
	return locals
}

type silentHandler struct{}

func (silentHandler) Opened(*Session)            {}
func (silentHandler) Received(*Session, Message) {}
func (silentHandler) Closed(*Session, error)     {}

// All queues together have a budget. Sessions are closed by what they hold alone: a broadcast that all have yet to read
// counts once.
func TestSlowestPayForTheBudgetOfAllQueues(t *testing.T) {
	server := NewServer(silentHandler{}, Options{MaxQueuedBytes: 1 << 20})
	listeners, greedy := openLocals(t, server, 100), openLocals(t, server, 20)
	for range 400 { // 100 queues of 80 KB each, in all 80 KB
		p := Prepare(Message{Data: bytes.Repeat([]byte("x"), 50)})
		for _, l := range listeners {
			if err := l.session.SendPrepared(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 10 {
		for _, l := range greedy {
			_ = l.session.Send(Message{Data: make([]byte, 10_000)})
		}
	}
	waittest.Until(t, "the budget is kept", func() bool { return server.budget.held.Load() <= server.budget.limit })
	for i, l := range listeners {
		if messages, over := l.Take(); over || len(messages) != 400 {
			t.Fatalf("listener %d has %d messages, over: %v, want all 400 and that it goes on", i, len(messages), over)
		}
	}
	closed := 0
	for _, l := range greedy {
		if _, over := l.Take(); over {
			closed++
		}
	}
	if closed < 8 || closed == len(greedy) {
		t.Errorf("%d of %d greedy sessions were closed, want about half", closed, len(greedy))
	}
	if held := server.budget.held.Load(); held != 0 {
		t.Errorf("%d bytes are counted with nothing queued, want 0", held)
	}
}

// Messages of sessions that are being closed, or that were queued after closeSlowest looked, are nobody else's debt.
func TestOthersDoNotPayForWhatNoOpenSessionHolds(t *testing.T) {
	server := NewServer(silentHandler{}, Options{MaxQueuedBytes: 1 << 20})
	listeners := openLocals(t, server, 10)
	for _, l := range listeners {
		if err := l.session.Send(Message{Data: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	closing := Prepare(Message{Data: make([]byte, 2<<20)})
	server.hold(closing, 1)
	waittest.Until(t, "closeSlowest ends", func() bool { return server.budget.overrun.Load() == 0 })
	server.letGo(closing, 1)
	for i, l := range listeners {
		if messages, over := l.Take(); over || len(messages) != 1 {
			t.Errorf("listener %d has %d messages, over: %v, want its own and that it goes on", i, len(messages), over)
		}
	}
}

// A client that polls late has a burst of small messages waiting for it.
func TestBurstOfSmallMessagesFitsTheQueue(t *testing.T) {
	server := NewServer(silentHandler{}, Options{})
	l := openLocals(t, server, 1)[0]
	const burst = 10_000
	for range burst {
		if err := l.session.SendPrepared(Prepare(Message{Data: make([]byte, 250)})); err != nil {
			t.Fatal(err)
		}
	}
	if messages, over := l.Take(); over || len(messages) != burst {
		t.Errorf("%d messages wait, over: %v, want all %d", len(messages), over, burst)
	}
}

func TestHandshakeKeepsOnlyWhatIsNeeded(t *testing.T) {
	r := httptest.NewRequest("GET", "/?EIO=4&transport=polling&connect&pad="+strings.Repeat("x", 20_000), nil)
	r.Header.Set("X-User", "Ann")
	r.Header.Set("X-Padding", strings.Repeat("x", 30_000))
	server := NewServer(silentHandler{}, Options{Headers: []string{"X-User"}})
	h := server.newHandshake(r)
	if header := h.Header(); len(header) != 1 || header.Get("X-User") != "Ann" {
		t.Errorf("header = %.100v, want X-User alone", header)
	}
	if !h.Query().Has("connect") || h.Query().Get("EIO") != "4" {
		t.Errorf("query = %.100v, want its short parameters", h.Query())
	}
	if size := len(h.headers) + len(h.rawQuery); size > 1000 {
		t.Errorf("the handshake keeps %d bytes of a request of 50 KB, want at most 1,000", size)
	}
}
