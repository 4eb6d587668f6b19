package engineio

import (
	"errors"
	"testing"
)

// localHandler notes what happens to sessions.
type localHandler struct {
	session  *Session
	received []string
	closed   error
}

func (h *localHandler) Opened(s *Session) {
	h.session = s
	_ = s.Send(Message{Data: []byte("welcome")})
}

func (h *localHandler) Received(s *Session, m Message) {
	h.received = append(h.received, string(m.Data))
}

func (h *localHandler) Closed(_ *Session, reason error) { h.closed = reason }

func TestLocalClientStandsAtItsSession(t *testing.T) {
	h := &localHandler{}
	server := NewServer(h, Options{})
	l, err := server.OpenLocal(V4)
	if err != nil {
		t.Fatal(err)
	}
	l.Send(Message{Data: []byte("hello")})
	if len(h.received) != 1 || h.received[0] != "hello" {
		t.Errorf("the handler received %q, want hello", h.received)
	}
	if got, over := l.Take(); len(got) != 1 || string(got[0].Data) != "welcome" || over {
		t.Errorf("the client was sent %v, over: %v; want a welcome and an open session", got, over)
	}
	if got, _ := l.Take(); len(got) != 0 {
		t.Errorf("the client was sent %v twice", got)
	}
	l.Lose()
	if !errors.Is(h.closed, ErrTransportClosed) {
		t.Errorf("the session ends by %v, want %v", h.closed, ErrTransportClosed)
	}
	l.Send(Message{Data: []byte("too late")})
	if _, over := l.Take(); len(h.received) != 1 || !over || server.lookup(h.session.ID()) != nil {
		t.Errorf("after the end the handler received %q, and the session is over: %v", h.received, over)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := server.OpenLocal(V4); !errors.Is(err, ErrClosed) {
		t.Errorf("OpenLocal after Shutdown = %v, want ErrClosed", err)
	}
}
