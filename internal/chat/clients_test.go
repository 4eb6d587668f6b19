package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"chatapp/internal/socketio/socketiotest"
)

// site is where clients reach an instance.
type site struct {
	t    testing.TB
	name string
	host *socketiotest.Host
}

// testUser is a client of a test.
type testUser struct {
	*socketiotest.Client
	t   testing.TB
	ack int
}

// Close ends the connection, as a broken network does. It first waits until the server has written everything: the end
// of a pipe that fails to write closes, and reading from it is an error that no network has.
func (u *testUser) Close() {
	synctest.Wait()
	u.Client.Close()
}

// dial opens a connection for a client.
func (s *site) dial(query string) *testUser {
	s.t.Helper()
	return &testUser{Client: s.host.Dial(query), t: s.t, ack: 100}
}

// visit connects a client without a name and takes its greeting.
func (s *site) visit(query string) *testUser {
	s.t.Helper()
	synctest.Wait() // what happened before has been sent
	u := s.dial(query)
	u.Connect("/", "")
	u.Want("session", `2["session",{"instance":"`+s.name+`","recovered":false,"limits":{*}}]`)
	u.Want("history", `2["history","lobby",{"messages":[*],"more":*},"*"]`)
	u.Want("status", `2["status",{"instance":"`+s.name+`","ready":true,*}]`)
	return u
}

// join connects a client and gives it a name.
func (s *site) join(name string) *testUser {
	s.t.Helper()
	u := s.visit("")
	u.Send(`21["nickname","` + name + `"]`)
	u.Want("the name is granted", `31[false,{"ok":true,"name":"`+name+`","token":"*"*}]`)
	u.Want("session with the nickname", `2["session",{"instance":"*","name":"`+name+`",*},"*"]`)
	for !strings.Contains(u.Next("roster"), `"nicknames",{`) {
	}
	synctest.Wait()
	return u
}

// sent says something in the lobby and takes what comes until the log has it.
func (u *testUser) sent(text string) {
	u.ack++
	u.Send(fmt.Sprintf(`2%d["user message",%q]`, u.ack, text))
	for {
		answer, ok := strings.CutPrefix(u.Next("it is in the log"), fmt.Sprintf(`3%d[`, u.ack))
		if ok && !strings.HasPrefix(answer, `{"ok":true,"id":"`) {
			u.t.Fatalf("message %q is answered by %s", text, answer)
		}
		if ok {
			return
		}
	}
}

// page is a client that keeps what it needs to be recovered.
type page struct {
	*testUser
	pid, offset string
	raw         bool // uses the raw WebSocket
}

// take reads the next message as the official client does: the last argument of an event, if it is a string, is its
// offset.
func (p *page) take(why string) (event string, args []any) {
	return p.read(p.Next(why))
}

func (p *page) read(text string) (event string, args []any) {
	if p.raw {
		var m struct {
			Event string
			Args  []any
		}
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			return "", nil
		}
		event, args = m.Event, m.Args
	} else if text, ok := strings.CutPrefix(text, "2"); ok {
		if err := json.Unmarshal([]byte(text), &args); err != nil {
			return "", nil
		}
		event, args = args[0].(string), args[1:]
	}
	if len(args) > 0 {
		if offset, ok := args[len(args)-1].(string); ok {
			p.offset = offset
		}
	}
	return event, args
}

// open connects a page to a replica, by either endpoint, and reports whether it was recovered.
func (p *page) open(s *site) (recovered bool) {
	s.t.Helper()
	synctest.Wait()
	auth := "{}"
	if p.pid != "" {
		auth = fmt.Sprintf(`{"pid":%q,"offset":%q}`, p.pid, p.offset)
	}
	prefix, text := "0", ""
	if p.raw {
		p.testUser = &testUser{Client: s.host.DialRaw("connect"), t: s.t, ack: 100}
		p.Send(`{"connect":` + auth + `}`)
		text = p.Next("connected")
		prefix = `{"connect":`
		text = strings.TrimSuffix(text, "}")
	} else {
		p.testUser = s.dial("")
		p.Send("0" + auth)
		text = p.Next("connected")
	}
	var answer struct {
		PID       string
		Recovered bool
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, prefix)), &answer); err != nil {
		s.t.Fatalf("connect is answered by %q: %v", text, err)
	}
	recovered = p.pid != "" && p.pid == answer.PID
	p.pid = answer.PID
	return recovered
}

// until takes events until one is the event wanted, and returns the texts of the messages before it.
func (p *page) until(why, event string) (messages []string, args []any) {
	p.t.Helper()
	for {
		name, args := p.take(why)
		switch name {
		case event:
			return messages, args
		case "user message":
			messages = append(messages, args[1].(string))
		case "history", "announcement":
			messages = append(messages, name)
		}
	}
}

// hear takes events until one is a message, and returns its text.
func (p *page) hear(why string) string {
	for {
		if event, args := p.take(why); event == "user message" {
			return args[1].(string)
		}
	}
}

// name claims a nickname.
func (p *page) name(name string) {
	p.t.Helper()
	if p.raw {
		p.Send(`{"event":"nickname","args":["` + name + `"]}`)
	} else {
		p.Send(`2["nickname","` + name + `"]`)
	}
	p.until("named", "nicknames")
}
