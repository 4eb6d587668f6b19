package socketio_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
)

func TestBroadcast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := socketio.NewServer(socketio.Options{})
		ns := server.Of("/")
		host := socketiotest.Pipe(t, server, engineio.Options{Protocol3: true})
		clients := map[string]*socketiotest.Client{"ann": host.Dial(""), "bob": host.Dial(""),
			"cid": host.DialRaw("connect"), "old": host.DialProtocol3("")}
		sockets := map[string]*socketio.Socket{}
		for name, c := range clients {
			if name == "old" {
				c.Want("let in", "0")
				continue
			}
			sockets[name] = ns.Socket(c.Connect("/", ""))
		}
		for _, s := range ns.All().Sockets() {
			if s != sockets["ann"] && s != sockets["bob"] && s != sockets["cid"] {
				sockets["old"] = s
			}
		}
		stranger := host.Dial("")
		stranger.Connect("/", "")
		stranger.Send("1")
		synctest.Wait()

		sockets["ann"].Join("red", "blue", "red")
		sockets["bob"].Join("red")
		sockets["cid"].Join("blue")
		ids := func(names ...string) (ids []string) {
			for _, name := range names {
				ids = append(ids, sockets[name].ID())
			}
			return ids
		}
		for i, row := range []struct {
			what string
			to   socketio.Broadcast
			want []string
		}{
			{"all", ns.All(), []string{"ann", "bob", "cid", "old"}},
			{"a room", ns.To("red"), []string{"ann", "bob"}},
			{"two rooms, each socket once", ns.To("red", "blue"), []string{"ann", "bob", "cid"}},
			{"two rooms, added", ns.To("blue").To("red"), []string{"ann", "bob", "cid"}},
			{"a room named twice", ns.To("red", "red"), []string{"ann", "bob"}},
			{"an id", ns.To(ids("cid")...), []string{"cid"}},
			{"an id named twice, and a room it is in", ns.To(ids("bob", "bob")...).To("red"), []string{"ann", "bob"}},
			{"a room and an id", ns.To(append(ids("old"), "blue")...), []string{"ann", "cid", "old"}},
			{"no room", ns.To(), nil},
			{"an unknown room", ns.To("green"), nil},
			{"except a room", ns.All().Except("red"), []string{"cid", "old"}},
			{"except ids", ns.All().Except(ids("ann", "cid")...), []string{"bob", "old"}},
			{"a room except a room and an id", ns.To("red", "blue").Except("blue").Except(ids("bob")...), nil},
			{"the others in a room", ns.To("red").Except(ids("ann")...), []string{"bob"}},
			{"volatile", ns.To("blue").Volatile(), []string{"ann", "cid"}},
		} {
			if got := row.to.Len(); got != len(row.want) {
				t.Errorf("%s: Len() = %d, want %d", row.what, got, len(row.want))
			}
			synctest.Wait() // a client that is still being written to would miss what is volatile
			if err := row.to.Emit("news", i); err != nil {
				t.Fatalf("%s: %v", row.what, err)
			}
			for name, c := range clients {
				if !slices.Contains(row.want, name) {
					continue // anything it got would be found instead of what it waits for next
				}
				pattern := fmt.Sprintf(`2["news",%d]`, i)
				if name == "cid" {
					pattern = fmt.Sprintf(`{"event":"news","args":[%d]}`, i)
				}
				c.Want(row.what+" reaches "+name, pattern)
			}
		}
		if err := ns.Emit("last", []byte{7}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"ann", "bob", "old"} {
			clients[name].Want("nothing more came", `51-["last",{"_placeholder":true,"num":0}]`)
			clients[name].WantBinary("with its attachment", []byte{7})
		}
		clients["cid"].Want("nothing more came", `{"event":"last","args":[{"base64":"Bw=="}]}`)
		stranger.WantNothing("it has left", time.Second)

		sockets["ann"].Leave("red")
		sockets["bob"].Leave("red", "green")
		for _, name := range []string{"ann", "cid"} {
			sockets[name].Join("green", "blue")
		}
		if got := sockets["ann"].Rooms(); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"blue", "green"}) {
			t.Errorf("ann is in %q, want blue and green", got)
		}
		if got := ns.To("red").Sockets(); len(got) > 0 {
			t.Errorf("red still has %d sockets", len(got))
		}
		sockets["ann"].Disconnect()
		clients["ann"].Want("disconnected", `1`)
		clients["ann"].WantNothing("the connection stays open", time.Second)
		sockets["cid"].Disconnect()
		clients["cid"].Want("disconnected", `{"disconnect":{}}`)
		clients["cid"].WantClose("a raw WebSocket has no other namespace", 1000)
		sockets["ann"].Join("red")
		if n := ns.To("red").Len(); n != 0 {
			t.Error("a disconnected socket has joined a room")
		}
	})
}

func TestPreparedEventIsSentAgain(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	host := socketiotest.Serve(t, server, engineio.Options{})
	c, raw := host.Dial(""), host.DialRaw("connect")
	socket := ns.Socket(c.Connect("/", ""))
	raw.Connect("/", "")
	p, err := ns.Prepare("user message", "User1", "hello")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ns.All().EmitPrepared(p)
	}
	if err := socket.EmitPrepared(p); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		c.Want("it can be used again", `2["user message","User1","hello"]`)
	}
	for range 3 {
		raw.Want("on a raw WebSocket, too", `{"event":"user message","args":["User1","hello"]}`)
	}
	if _, err := ns.Prepare("connect"); !errors.Is(err, socketio.ErrReservedEvent) {
		t.Errorf("Prepare of a reserved event = %v, want %v", err, socketio.ErrReservedEvent)
	}
	if err := ns.Emit("a", func() {}); err == nil {
		t.Error("Emit of a function gives no error")
	}
	defer func() {
		if recover() == nil {
			t.Error("emitting an event of another namespace does not panic")
		}
	}()
	server.Of("other").All().EmitPrepared(p)
}

// TestRoomsModel joins and leaves at random and compares with maps.
func TestRoomsModel(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	host := socketiotest.Serve(t, server, engineio.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	var sockets []*socketio.Socket
	for range 8 {
		sockets = append(sockets, ns.Socket(host.Dial("").Connect("/", "")))
	}
	model := map[string]map[*socketio.Socket]bool{}
	for step := range 5000 {
		s, room := sockets[random.IntN(len(sockets))], fmt.Sprint("room", random.IntN(6))
		if model[room] == nil {
			model[room] = map[*socketio.Socket]bool{}
		}
		switch random.IntN(5) {
		case 0, 1:
			s.Join(room)
			model[room][s] = true
		case 2, 3:
			s.Leave(room)
			delete(model[room], s)
		case 4:
			if random.IntN(100) == 0 && len(sockets) > 2 {
				s.Disconnect()
				for _, members := range model {
					delete(members, s)
				}
				sockets = slices.DeleteFunc(sockets, func(other *socketio.Socket) bool { return other == s })
			}
		}
		got := ns.To(room).Sockets()
		if len(got) != len(model[room]) {
			t.Fatalf("step %d: %s has %d sockets, want %d", step, room, len(got), len(model[room]))
		}
		for _, s := range got {
			if !model[room][s] || !slices.Contains(s.Rooms(), room) {
				t.Fatalf("step %d: %s in %s is wrong", step, s.ID(), room)
			}
		}
		if n := ns.All().Len(); n != len(sockets) {
			t.Fatalf("step %d: %d sockets in all, want %d", step, n, len(sockets))
		}
	}
}

// TestEverySocketEndsOnce does everything at the same time, for the race detector, and counts the calls
// of OnDisconnect.
func TestEverySocketEndsOnce(t *testing.T) {
	t.Parallel()
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	var mu sync.Mutex
	present := map[*socketio.Socket]bool{}
	ns.OnConnect(func(s *socketio.Socket) {
		mu.Lock()
		defer mu.Unlock()
		present[s] = true
		s.SetData(0)
	})
	ns.OnDisconnect(func(s *socketio.Socket, _ error) {
		mu.Lock()
		defer mu.Unlock()
		if !present[s] {
			t.Error("a socket ends that has not begun, or ends twice")
		}
		delete(present, s)
	})
	ns.On("join", func(s *socketio.Socket, e *socketio.Event) { s.Join("room"); _ = e.Ack() })
	host := socketiotest.Serve(t, server, engineio.Options{})
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 30 {
				c := host.Dial("")
				c.Connect("/", "")
				_ = c.TrySend(`21["join"]`)
				_ = c.TrySend(`2["nothing"]`)
				if i%2 == 0 {
					_ = c.TrySend(`1`)
				}
				c.Close()
			}
		})
		group.Go(func() {
			for j := range 200 {
				_ = ns.To("room").Emit("news", j)
				for _, s := range ns.All().Sockets() {
					s.SetData(s.Data())
					s.Join("other")
					s.Leave("room")
					if j%50 == 0 {
						s.Disconnect()
					}
				}
			}
		})
	}
	group.Wait()
	if err := host.Engine.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(present) > 0 || ns.All().Len() > 0 || server.Stats().Sockets != 0 || server.Stats().Clients != 0 {
		t.Errorf("%d sockets have not ended; stats %+v", len(present), server.Stats())
	}
}
