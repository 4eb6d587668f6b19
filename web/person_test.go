package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// person is somebody in the chat without a window.
type person struct {
	t    *testing.T
	conn *websocket.Conn
	ids  int
}

// visit brings a person with a name into the lobby of instance i.
func (s *site) visit(t *testing.T, i int, name string) *person {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+s.front[i].address+"/ws?connect", nil)
	if err != nil {
		t.Fatalf("dial instance %d: %v", i, err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &person{t: t, conn: conn}
	p.write(map[string]any{"connect": struct{}{}})
	if taken := p.ask("nickname", name); string(taken[0]) != "false" {
		t.Fatalf("nickname %q: %s", name, taken)
	}
	return p
}

func (p *person) write(message map[string]any) {
	p.t.Helper()
	if err := p.conn.WriteJSON(message); err != nil {
		p.t.Fatalf("write %v: %v", message, err)
	}
}

// tell sends an event that has no answer.
func (p *person) tell(event string, args ...any) {
	p.t.Helper()
	p.write(map[string]any{"event": event, "args": args})
}

// ask sends an event and returns its answer. Events that come before it are let go.
func (p *person) ask(event string, args ...any) []json.RawMessage {
	p.t.Helper()
	p.ids++
	p.write(map[string]any{"event": event, "args": args, "id": p.ids})
	p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		var message struct {
			Ack  int
			Args []json.RawMessage
		}
		if err := p.conn.ReadJSON(&message); err != nil {
			p.t.Fatalf("answer to %s: %v", event, err)
		}
		if message.Ack == p.ids {
			return message.Args
		}
	}
}

// say says something in a room, and returns when it is in the log.
func (p *person) say(room, text string) {
	p.t.Helper()
	answer := p.ask("user message", text, map[string]string{"room": room})
	var outcome struct{ OK bool }
	if err := json.Unmarshal(answer[0], &outcome); err != nil || !outcome.OK {
		p.t.Fatalf("say %q in %s: %s", text, room, answer)
	}
}
