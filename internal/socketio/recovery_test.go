package socketio_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

// greeting is the payload of the answer to a CONNECT packet.
type greeting struct {
	SID, PID  string
	Recovered bool
}

// join joins the main namespace and returns the answer.
func join(t *testing.T, c *socketiotest.Client, auth string) (g greeting) {
	t.Helper()
	c.Send(`0` + auth)
	text := c.Next("the client is let in")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &g); err != nil || g.SID == "" || g.PID == "" {
		t.Fatalf("joining is answered by %q, want sid and pid", text)
	}
	return g
}

// offset returns the last argument of an event.
func offset(t *testing.T, packet string) string {
	t.Helper()
	var args []any
	if err := json.Unmarshal([]byte(strings.TrimPrefix(packet, "2")), &args); err != nil || len(args) < 2 {
		t.Fatalf("%q is not an event with an offset", packet)
	}
	s, _ := args[len(args)-1].(string)
	if s == "" {
		t.Fatalf("%q does not end in an offset", packet)
	}
	return s
}

func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := socketio.NewServer(socketio.Options{Recovery: socketio.NewMemoryRecovery(2*time.Minute, 1<<20)})
		ns := server.Of("/")
		var recovered []string
		ns.OnConnect(func(s *socketio.Socket) {
			recovered = append(recovered, fmt.Sprint(s.Recovered(), " ", s.Data(), " ", len(s.Rooms()), " ", s.Offset() != ""))
			if !s.Recovered() {
				s.Join("room", "other")
				s.SetData("data")
			}
		})
		host := socketiotest.Pipe(t, server, engineio.Options{})
		watcher := host.Dial("")
		join(t, watcher, "")
		c := host.Dial("")
		first := join(t, c, `{"token":"t"}`)
		synctest.Wait()
		_ = ns.Emit("seen", 1)
		seen := offset(t, c.Next("an event with its offset"))
		c.Close()
		synctest.Wait()
		if ns.Socket(first.SID) != nil {
			t.Fatal("the socket is still there")
		}

		_ = ns.To("room").Emit("missed", 1)
		_ = ns.To("elsewhere").Emit("not for it")
		_ = ns.To(first.SID).Emit("missed", "two")
		_ = ns.Except("other").Emit("not for it")
		_ = ns.All().Volatile().Emit("not kept")
		_ = ns.All().EmitWithAck(time.Second, func(socketio.Answers) {}, "not kept")
		_ = ns.Emit("missed", []byte{3})

		c = host.Dial("")
		second := join(t, c, fmt.Sprintf(`{"token":"t","pid":%q,"offset":%q}`, first.PID, seen))
		if second.SID != first.SID || second.PID != first.PID {
			t.Errorf("recovered as %+v, want %+v", second, first)
		}
		c.Want("what it missed, in order", `2["missed",1,"*"]`)
		c.Want("what it missed, in order", `2["missed","two","*"]`)
		c.Want("what it missed, in order", `51-["missed",{"_placeholder":true,"num":0},"*"]`)
		c.WantBinary("with attachments", []byte{3})
		_ = ns.To("other").Emit("now", 4)
		c.Want("and what comes, its rooms being restored", `2["now",4,"*"]`)
		socket := ns.Socket(first.SID)
		_ = socket.Emit("to it alone", 5)
		last := offset(t, c.Next("an event for it alone"))

		// Nothing is recovered after leaving on purpose, with a wrong pid or offset, or too late.
		for _, row := range []struct {
			name  string
			leave func()
			auth  func() string
		}{
			{"left on purpose", func() { c.Send(`1`) }, func() string { return fmt.Sprintf(`{"pid":%q,"offset":%q}`, second.PID, last) }},
			{"wrong pid", func() { c.Close() }, func() string { return fmt.Sprintf(`{"pid":"guessed","offset":%q}`, last) }},
			{"wrong offset", func() { c.Close() }, func() string { return fmt.Sprintf(`{"pid":%q,"offset":"AAAAAAAA0"}`, second.PID) }},
			{"offset to come", func() { c.Close() }, func() string { return fmt.Sprintf(`{"pid":%q,"offset":%q}`, second.PID, last[:8]+"zzzz") }},
			{"no offset", func() { c.Close() }, func() string { return fmt.Sprintf(`{"pid":%q}`, second.PID) }},
			{"not strings", func() { c.Close() }, func() string { return `{"pid":1,"offset":{}}` }},
			{"too late", func() { c.Close(); time.Sleep(121 * time.Second) }, func() string { return fmt.Sprintf(`{"pid":%q,"offset":%q}`, second.PID, last) }},
		} {
			row.leave()
			synctest.Wait()
			c.Close()
			c = host.Dial("")
			next := join(t, c, row.auth())
			if next.SID == second.SID || next.PID == second.PID {
				t.Errorf("%s: recovered as %+v", row.name, next)
			}
			synctest.Wait()
			_ = ns.Emit("event")
			last = offset(t, c.Next("an event with its offset"))
			second = next
		}
		if recovered[2] != "true data 2 true" {
			t.Errorf("OnConnect sees %q, want a recovered socket with data and two rooms", recovered[2])
		}
	})
}

// A client that comes back with a token that is too old gets a new one, and then is the socket it was.
func TestRecoveryAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := socketio.NewServer(socketio.Options{Recovery: socketio.NewMemoryRecovery(0, 0)})
		ns := server.Of("/")
		ns.Use(func(s *socketio.Socket) error {
			if strings.Contains(string(s.Auth()), "too old") {
				return &socketio.ConnectError{Message: "not authorized"}
			}
			return nil
		})
		ns.OnConnect(func(s *socketio.Socket) { s.Join("room") })
		host := socketiotest.Pipe(t, server, engineio.Options{})
		c := host.Dial("")
		first := join(t, c, `{"token":"new"}`)
		synctest.Wait()
		_ = ns.Emit("seen")
		seen := offset(t, c.Next("an event with its offset"))
		c.Close()
		synctest.Wait()
		_ = ns.To("room").Emit("missed")
		c = host.Dial("")
		c.Send(fmt.Sprintf(`0{"token":"too old","pid":%q,"offset":%q}`, first.PID, seen))
		c.Want("refused", `4{"message":"not authorized"}`)
		second := join(t, c, fmt.Sprintf(`{"token":"new","pid":%q,"offset":%q}`, first.PID, seen))
		if second.SID != first.SID {
			t.Errorf("recovered as %+v, want %+v", second, first)
		}
		c.Want("what it missed", `2["missed","*"]`)
	})
}

func TestRecoveryBounds(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	event, err := ns.Prepare("event", strings.Repeat("x", 1000))
	if err != nil {
		t.Fatal(err)
	}
	r := socketio.NewMemoryRecovery(time.Minute, 10_000)
	r.Keep(socketio.Session{Namespace: "/", SID: "early", PID: "early"})
	first := r.Record(socketio.Emission{Event: event, All: true})
	var last string
	for range 20 {
		last = r.Record(socketio.Emission{Event: event, All: true})
	}
	if _, ok := r.Restore("/", "early", first); ok {
		t.Error("restored though what was missed is gone")
	}
	restored, ok := r.Restore("/", "early", last)
	if !ok || len(restored.Missed()) != 0 || restored.SID != "early" {
		t.Errorf("Restore of a client that has everything = %+v, %v", restored, ok)
	}
	if _, ok := r.Restore("/", "early", last); ok {
		t.Error("a session is restored twice")
	}
	for i := range 1000 {
		r.Keep(socketio.Session{Namespace: "/", SID: fmt.Sprint(i), PID: fmt.Sprint(i), Rooms: []string{"room"}})
	}
	kept := 0
	last = r.Record(socketio.Emission{Event: event, All: true})
	for i := range 1000 {
		if _, ok := r.Restore("/", fmt.Sprint(i), last); ok {
			kept++
		}
		if _, ok := r.Restore("/elsewhere", fmt.Sprint(i), last); ok {
			t.Fatal("restored in another namespace")
		}
	}
	if kept == 0 || kept > 40 {
		t.Errorf("%d sessions fit in 10,000 bytes, want some and at most 40", kept)
	}
}

// stateRecovery is a Recovery without a Recorder, as an application with a log of its own has it: offsets are appended by
// the application, and what was missed is sent again in OnConnect.
type stateRecovery struct{ session socketio.Session }

func (r *stateRecovery) Keep(socketio.Session) {}

func (r *stateRecovery) Restore(_, pid, _ string) (socketio.Restored, bool) {
	return socketio.Restored{Session: r.session}, pid == r.session.PID
}

func TestRecoveryByApplication(t *testing.T) {
	recovery := &stateRecovery{}
	server := socketio.NewServer(socketio.Options{Recovery: recovery})
	ns := server.Of("/")
	reasons := make(chan error, 4) // so that handlers return
	ns.OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
	ns.OnConnect(func(s *socketio.Socket) {
		if s.Recovered() {
			_ = s.Emit("missed after "+s.Offset(), "entry-2")
		}
	})
	host := socketiotest.Serve(t, server, engineio.Options{})
	old := host.Dial("")
	g := join(t, old, "")
	_ = ns.Emit("news", "entry-1")
	old.Want("nothing is appended", `2["news","entry-1"]`)
	recovery.session = socketio.Session{Namespace: "/", SID: g.SID, PID: g.PID, Rooms: []string{"room"}}

	// The client comes back, by the other door, before the server knows that its connection is lost.
	c := host.DialBare("connect")
	c.Send(fmt.Sprintf(`{"connect":{"pid":%q,"offset":"entry-1"}}`, g.PID))
	c.Want("recovered", fmt.Sprintf(`{"connect":{"sid":%q,"pid":%q,"recovered":true}}`, g.SID, g.PID))
	c.Want("what it missed", `{"event":"missed after entry-1","args":["entry-2"]}`)
	old.WantClose("its place is taken", 1000)
	if err := <-reasons; err != socketio.ErrSuperseded || socketio.Lost(err) {
		t.Errorf("the old socket ends with %v, want %v", err, socketio.ErrSuperseded)
	}
	_ = ns.To("room").Emit("news", "entry-3")
	c.Want("its rooms are the socket's", `{"event":"news","args":["entry-3"]}`)
	if n := ns.All().Len(); n != 1 || server.Stats().Sockets != 1 {
		t.Errorf("%d sockets, want 1; stats %+v", n, server.Stats())
	}
	fresh := host.DialBare("connect")
	fresh.Send(`{"connect":{}}`)
	fresh.Want("a fresh socket says so", `{"connect":{"sid":"*","pid":"*","recovered":false}}`)
}
