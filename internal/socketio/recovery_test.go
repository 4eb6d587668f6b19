package socketio_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

// newsLog is a log as an application has it that supports recovery: the application appends the offset
// of each event, and emits what a recovered client missed.
type newsLog struct {
	nsp *socketio.Namespace

	mu sync.Mutex
	// mu guards
	news []news
	lost map[string]*lostSocket // by pid
}

type news struct{ room, text string }

type lostSocket struct {
	sid   string
	rooms []string
}

// restore is a socketio.Recovery. The data of a recovered socket is its lostSocket.
func (l *newsLog) restore(_, pid, offset string) (socketio.Restored, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lost[pid]
	if n, err := strconv.Atoi(offset); lost == nil || err != nil || n < 0 || n > len(l.news) {
		return socketio.Restored{}, false
	}
	delete(l.lost, pid)
	return socketio.Restored{SID: lost.sid, Data: lost}, true
}

// attach makes the log serve the server's main namespace. join is the rooms that a new socket joins.
func (l *newsLog) attach(server *socketio.Server, join ...string) {
	l.nsp, l.lost = server.Of("/"), make(map[string]*lostSocket)
	l.nsp.OnConnect(func(s *socketio.Socket) {
		l.mu.Lock()
		defer l.mu.Unlock()
		lost, _ := s.Data().(*lostSocket)
		if lost == nil {
			lost = &lostSocket{sid: s.ID()}
			l.joinLocked(s, lost, join...)
			s.SetData(lost)
			return
		}
		s.Join(lost.rooms...)
		first, _ := strconv.Atoi(s.Offset())
		for i, n := range l.news[first:] {
			for _, room := range lost.rooms {
				if n.room == room {
					_ = s.Emit("news", n.text, strconv.Itoa(first+i+1))
				}
			}
		}
	})
	l.nsp.OnDisconnect(func(s *socketio.Socket, reason error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if socketio.Lost(reason) {
			l.lost[s.PrivateID()] = s.Data().(*lostSocket)
		}
	})
}

func (l *newsLog) join(s *socketio.Socket, room string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.joinLocked(s, s.Data().(*lostSocket), room)
}

func (l *newsLog) joinLocked(s *socketio.Socket, lost *lostSocket, rooms ...string) {
	s.Join(rooms...)
	lost.rooms = append(lost.rooms, rooms...)
}

func (l *newsLog) publish(room, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news = append(l.news, news{room, text})
	_ = l.nsp.To(room).Emit("news", text, strconv.Itoa(len(l.news)))
}

// identity is the part of a CONNECT answer that a client needs to come back.
type identity struct{ SID, PID string }

// join joins the main namespace and returns the answer.
func join(t *testing.T, c *socketiotest.Client, auth string) (id identity) {
	t.Helper()
	c.Send(`0` + auth)
	text := c.Next("the server answers")
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &id); err != nil || id.SID == "" || id.PID == "" {
		t.Fatalf("the answer to CONNECT is %q, want sid and pid", text)
	}
	return id
}

func TestRecoveredClientGetsWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &newsLog{}
		server := socketio.NewServer(socketio.Options{Recovery: log.restore})
		log.attach(server, "room")
		host := socketiotest.Pipe(t, server, engineio.Options{})
		c := host.Dial("")
		first := join(t, c, "")
		rootOf := func(id identity) string { return log.nsp.Socket(id.SID).PrivateRoot() }
		synctest.Wait()
		root := rootOf(first)
		log.publish("room", "one")
		c.Want("an event with its offset", `2["news","one","1"]`)
		c.Close()
		synctest.Wait()
		log.publish("elsewhere", "not for it")
		log.publish("room", "two")

		c = host.Dial("")
		second := join(t, c, fmt.Sprintf(`{"pid":%q,"offset":"1"}`, first.PID))
		if second != first {
			t.Errorf("recovered as %+v, want %+v", second, first)
		}
		c.Want("the missed event", `2["news","two","3"]`)
		log.publish("room", "three")
		c.Want("a new event, because its rooms are restored", `2["news","three","4"]`)

		back := func(pid, offset string) string { return fmt.Sprintf(`{"pid":%s,"offset":%s}`, pid, offset) }
		for _, row := range []struct {
			name         string
			deliberately bool
			keepsRoot    bool
			auth         func(pid string) string
		}{
			{"after leaving on purpose", true, true,
				func(pid string) string { return back(strconv.Quote(pid), `"4"`) }},
			{"with a wrong pid", false, false, func(string) string { return back(`"guessed"`, `"4"`) }},
			{"with an unknown offset", false, true, func(pid string) string { return back(strconv.Quote(pid), `"9"`) }},
			{"without an offset", false, true, func(pid string) string { return fmt.Sprintf(`{"pid":%q}`, pid) }},
			{"with values that are no strings", false, false, func(string) string { return back(`1`, `{}`) }},
		} {
			if row.deliberately {
				c.Send(`1`)
				synctest.Wait()
			}
			c.Close()
			synctest.Wait()
			c = host.Dial("")
			next := join(t, c, row.auth(second.PID))
			if next.SID == second.SID || next.PID == second.PID {
				t.Errorf("%s: recovered as %+v, want a new socket", row.name, next)
			}
			second = next
			synctest.Wait()
			now := rootOf(second)
			if !strings.HasPrefix(second.PID, now) || len(now) < 20 || (now == root) != row.keepsRoot {
				t.Errorf("%s: the root of %q is %q and was %q, want the same: %v", row.name, second.PID, now, root,
					row.keepsRoot)
			}
			root = now
		}
	})
}

// Clients may still have private ids of a version that made them shorter, and anything else.
func TestRootOfPresentedPrivateIDIsKeptIfItIsOne(t *testing.T) {
	server := socketio.NewServer(socketio.Options{Recovery: func(_, _, _ string) (socketio.Restored, bool) {
		return socketio.Restored{}, false
	}})
	server.Of("/")
	host := socketiotest.Serve(t, server, engineio.Options{})
	const root = "AbCdEfGhIjKlMnOpQrSt"
	for pid, keeps := range map[string]bool{
		root: true, root + "12345678": true, root + "1": false, root + "1234567=": false, root[:19] + ".": false,
		strings.Repeat(root, 2): false, "": false,
	} {
		id := join(t, host.Dial(""), fmt.Sprintf(`{"pid":%q}`, pid))
		if len(id.PID) != len(root)+8 || id.PID == pid || strings.HasPrefix(id.PID, root) != keeps {
			t.Errorf("a client that presents %q is given %q, want the root kept: %v", pid, id.PID, keeps)
		}
	}
}

func TestRecoveringClientSupersedesItsOldConnection(t *testing.T) {
	var known identity
	recovery := func(_, pid, _ string) (socketio.Restored, bool) {
		return socketio.Restored{SID: known.SID}, pid == known.PID
	}
	server := socketio.NewServer(socketio.Options{Recovery: recovery})
	ns := server.Of("/")
	reasons := make(chan error, 4) // so that handlers return
	ns.OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
	ns.OnConnect(func(s *socketio.Socket) {
		if s.Recovered() {
			s.Join("room")
			_ = s.Emit("missed after "+s.Offset(), "entry-2")
		}
	})
	host := socketiotest.Serve(t, server, engineio.Options{})
	old := host.Dial("")
	known = join(t, old, "")
	_ = ns.Emit("news", "entry-1")
	old.Want("nothing is appended", `2["news","entry-1"]`)

	// The client comes back, as a raw WebSocket, before the server notices that its connection is lost.
	c := host.DialRaw("connect")
	c.Send(fmt.Sprintf(`{"connect":{"pid":%q,"offset":"entry-1"}}`, known.PID))
	c.Want("recovered", fmt.Sprintf(`{"connect":{"sid":%q,"pid":%q,"recovered":true}}`, known.SID, known.PID))
	c.Want("the missed event", `{"event":"missed after entry-1","args":["entry-2"]}`)
	old.WantClose("the new connection supersedes it", 1000)
	if err := <-reasons; err != socketio.ErrSuperseded || socketio.Lost(err) {
		t.Errorf("the old socket ends with %v, want %v", err, socketio.ErrSuperseded)
	}
	_ = ns.To("room").Emit("news", "entry-3")
	c.Want("the new connection is in the room", `{"event":"news","args":["entry-3"]}`)
	if n := ns.All().Len(); n != 1 || server.Stats().Sockets != 1 {
		t.Errorf("%d sockets, want 1; stats %+v", n, server.Stats())
	}
	fresh := host.DialRaw("connect")
	fresh.Send(`{"connect":{}}`)
	fresh.Want("a new socket is not recovered", `{"connect":{"sid":"*","pid":"*","recovered":false}}`)
}

// TestSocketIO2ClientIsNotRecovered has a client of Socket.IO 2 send the secrets of another socket.
func TestSocketIO2ClientIsNotRecovered(t *testing.T) {
	recovery := func(_, _, _ string) (socketio.Restored, bool) { return socketio.Restored{SID: "taken"}, true }
	server := socketio.NewServer(socketio.Options{Recovery: recovery})
	server.Of("custom").OnConnect(func(s *socketio.Socket) { _ = s.Emit("identity", s.Recovered(), s.PrivateID()) })
	c := socketiotest.Serve(t, server, engineio.Options{Protocol3: true}).DialProtocol3("")
	c.Want("joined", `0`)
	c.Send(`0/custom?pid=secret&offset=1,`)
	c.Want("joined", `0/custom,`)
	c.Want("it is a new socket that can't be recovered", `2/custom,["identity",false,""]`)
}
