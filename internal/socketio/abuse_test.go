package socketio_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"

	"github.com/gorilla/websocket"
)

// heap is how many bytes are in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC() // what pools held at the first
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// settle waits until there are about as many goroutines as before, and reports if that does not happen.
// A few more may be those that the Engine.IO server starts on demand and keeps.
func settle(t *testing.T, before int) {
	t.Helper()
	const kept = 16
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before+kept; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Errorf("%d goroutines, want about the %d there were", runtime.NumGoroutine(), before)
			return
		}
	}
}

// TestIgnoredPacketsCostNoMemory sends a million packets without effect, and one with an effect.
func TestIgnoredPacketsCostNoMemory(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{})
	for _, row := range []struct{ name, packet string }{
		{"events without a handler", `2["a"]`},
		{"acknowledgements that the server did not ask for", `39007199254740991[]`},
		{"events of a namespace the server has ended", `2/ended,["a"]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := host.Dial("")
			c.Connect("/", "")
			c.Want("joined", `2["auth",{}]`)
			socket := server.Of("ended").Socket(c.Connect("/ended", ""))
			socket.Disconnect()
			c.Want("ended", `1/ended,`)
			before, goroutines := heap(), runtime.NumGoroutine()
			c.Flood(row.packet, 80_000)
			c.Send(`2["message","and now?"]`)
			c.Want("the client is served as before", `2["message-back","and now?"]`)
			if grown := heap() - before; grown > 1<<20 {
				t.Errorf("the heap has grown by %d bytes", grown)
			}
			settle(t, goroutines)
		})
	}
}

// TestNamespaceFlood joins namespaces that do not exist, and all that do.
func TestNamespaceFlood(t *testing.T) {
	server := newEcho(socketio.Options{})
	for i := range 100 {
		server.Of(fmt.Sprint("n", i))
	}
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.Dial("")
	before := heap()
	for i := range 5_000 {
		c.Send(fmt.Sprint(`0/random-`, i))
		c.Want("no such namespace", fmt.Sprintf(`4/random-%d,{"message":"Invalid namespace"}`, i))
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	refused := 0
	for i := range 100 {
		c.Send(fmt.Sprint(`0/n`, i))
		if strings.HasPrefix(c.Next("an answer"), "4") {
			refused++
		}
	}
	if refused != 84 || server.Stats().Sockets != 16 {
		t.Errorf("%d of 100 namespaces refused, %d sockets, want 84 and 16", refused, server.Stats().Sockets)
	}
}

// TestSlowReaderIsClosed broadcasts to a client that reads and one that does not. The first one misses nothing.
func TestSlowReaderIsClosed(t *testing.T) {
	t.Parallel()
	const events = 20_000 // of a kilobyte: more than sockets and queue hold
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	reasons := make(chan error, 3) // so that handlers return
	ns.OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
	host := socketiotest.Serve(t, server, engineio.Options{MaxQueueBytes: 1 << 20})
	stalled, _, err := websocket.DefaultDialer.Dial("ws://"+host.Address()+"/socket.io/?EIO=4&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	if err := stalled.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
		t.Fatal(err)
	}
	reader := host.Dial("")
	reader.Connect("/", "")
	waitForSockets(t, ns, 2)
	filler := strings.Repeat("x", 1000)
	for i := range events {
		if err := ns.Emit("event", i, filler); err != nil {
			t.Fatal(err)
		}
		reader.Want("every event, in order", fmt.Sprintf(`2["event",%d,%q]`, i, filler))
	}
	select {
	case err := <-reasons:
		if !errors.Is(err, engineio.ErrSlowConsumer) || !socketio.Lost(err) {
			t.Errorf("the stalled client ends with %v, want %v", err, engineio.ErrSlowConsumer)
		}
	case <-time.After(30 * time.Second):
		t.Error("the stalled client is not closed")
	}
	if n := ns.All().Len(); n != 1 {
		t.Errorf("%d sockets are left, want the one that reads", n)
	}
}

// TestClosedClientsCostNoMemory ends clients in every way, and compares memory and goroutines.
func TestClosedClientsCostNoMemory(t *testing.T) {
	server := newEcho(socketio.Options{})
	server.Of("/").OnConnect(func(s *socketio.Socket) { s.Join("room", s.ID()) })
	host := socketiotest.Serve(t, server, engineio.Options{})
	round := func(n int) {
		for i := range n {
			c := host.DialUnmanaged("")
			c.Connect("/", "")
			c.Want("joined", `2["auth",{}]`)
			switch i % 3 {
			case 0:
				c.Send(`1`)
			case 1:
				c.Send(`malformed`)
			}
			c.Close()
		}
		for deadline := time.Now().Add(30 * time.Second); server.Stats().Clients > 0; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d clients are left", server.Stats().Clients)
			}
		}
	}
	round(100)
	before, goroutines := heap(), runtime.NumGoroutine()
	round(2_500)
	settle(t, goroutines)
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if n := server.Of("/").To("room").Len(); n != 0 || server.Stats().Sockets != 0 {
		t.Errorf("%d sockets are left in the room, %d in all", n, server.Stats().Sockets)
	}
}

// TestVolatileEventSkipsSlowClient fills the queue of a client that does not read yet: it later receives all events but
// the volatile one.
func TestVolatileEventSkipsSlowClient(t *testing.T) {
	t.Parallel()
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	host := socketiotest.Serve(t, server, engineio.Options{MaxQueueBytes: 256 << 20})
	slow, _, err := websocket.DefaultDialer.Dial("ws://"+host.Address()+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	waitForSockets(t, ns, 1)
	const events = 64
	filler := strings.Repeat("x", 1<<20) // 64 MB in all: more than the buffers of a TCP connection hold
	for range events {
		if err := ns.Emit("event", filler); err != nil {
			t.Fatal(err)
		}
	}
	if err := ns.All().Volatile().Emit("volatile"); err != nil {
		t.Fatal(err)
	}
	if err := ns.Emit("last"); err != nil {
		t.Fatal(err)
	}
	for i := range events + 1 {
		_, text, err := slow.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		want := `{"event":"event",`
		if i == events {
			want = `{"event":"last",`
		}
		if !strings.HasPrefix(string(text), want) {
			t.Fatalf("message %d is %.40s, want %s", i, text, want)
		}
	}
}
