package socketio_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
	"chatapp/internal/waittest"

	"github.com/gorilla/websocket"
)

// audience is a number of clients that only count the bytes they receive.
type audience struct {
	received atomic.Int64
	wake     chan struct{} // size 1: received has changed
	conns    []*websocket.Conn
	readers  sync.WaitGroup
}

// seat connects n clients, every second one as a raw WebSocket if both is true.
func seat(tb testing.TB, host *socketiotest.Host, n int, both bool) *audience {
	tb.Helper()
	a := &audience{wake: make(chan struct{}, 1)}
	tb.Cleanup(a.leave)
	for i := range n {
		path, answers := "/socket.io/?EIO=4&transport=websocket", 1
		if both && i%2 == 1 {
			path, answers = "/ws", 0
		}
		conn, _, err := websocket.DefaultDialer.Dial("ws://"+host.Address()+path, nil)
		if err != nil {
			tb.Fatal(err)
		}
		a.conns = append(a.conns, conn)
		if answers > 0 {
			if err := conn.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
				tb.Fatal(err)
			}
			for range 2 { // the session's opening, and the socket's
				if _, _, err := conn.ReadMessage(); err != nil {
					tb.Fatal(err)
				}
			}
		}
		a.readers.Go(func() { a.read(conn) })
	}
	return a
}

func (a *audience) read(conn *websocket.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := conn.NetConn().Read(buffer)
		a.received.Add(int64(n))
		select {
		case a.wake <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// wait returns when the clients have received so many bytes in all.
func (a *audience) wait(bytes int64) {
	for a.received.Load() < bytes {
		<-a.wake
	}
}

func (a *audience) leave() {
	for _, conn := range a.conns {
		_ = conn.Close()
	}
	a.readers.Wait()
}

// BenchmarkBroadcast sends one event to every client, over TCP; a round is over when the last one has it.
func BenchmarkBroadcast(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		for _, both := range []bool{false, true} {
			b.Run(fmt.Sprintf("sockets=%d/bothDoors=%v", n, both), func(b *testing.B) {
				server := socketio.NewServer(socketio.Options{})
				host := socketiotest.Serve(b, server, engineio.Options{})
				ns := server.Of("/")
				a := seat(b, host, n, both)
				waitForSockets(b, ns, n)
				text := strings.Repeat("x", 64)
				packet := int64(len(`42["user message","User1",""]`) + len(text) + 2) // and a frame's header
				raw := int64(len(`{"event":"user message","args":["User1",""]}`) + len(text) + 2)
				round := packet * int64(n)
				if both {
					round = packet*int64((n+1)/2) + raw*int64(n/2)
				}
				a.received.Store(0)
				total := int64(0)
				b.ReportAllocs()
				for b.Loop() {
					if err := ns.Emit("user message", "User1", text); err != nil {
						b.Fatal(err)
					}
					total += round
					a.wait(total)
				}
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "deliveries/s")
			})
		}
	}
}

// BenchmarkBroadcastStream lets up to 32 events be under way, as a busy room has them, so that one
// write can carry several.
func BenchmarkBroadcastStream(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			server := socketio.NewServer(socketio.Options{})
			host := socketiotest.Serve(b, server, engineio.Options{})
			ns := server.Of("/")
			a := seat(b, host, n, false)
			waitForSockets(b, ns, n)
			text := strings.Repeat("x", 64)
			round := int64(len(`42["user message","User1",""]`)+len(text)+2) * int64(n)
			a.received.Store(0)
			total := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				if err := ns.Emit("user message", "User1", text); err != nil {
					b.Fatal(err)
				}
				total += round
				a.wait(total - 32*round)
			}
			a.wait(total)
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// TestBroadcastAllocatesNothingPerReceiver compares the allocations of broadcasts to few and to many.
func TestBroadcastAllocatesNothingPerReceiver(t *testing.T) {
	const few, many = 10, 210
	counts := map[int]float64{}
	for _, n := range []int{few, many} {
		server := socketio.NewServer(socketio.Options{})
		host := socketiotest.Serve(t, server, engineio.Options{})
		ns := server.Of("/")
		a := seat(t, host, n, false)
		waitForSockets(t, ns, n)
		a.received.Store(0)
		total, round := int64(0), int64(n*(len(`42["event"]`)+2))
		counts[n] = testing.AllocsPerRun(200, func() {
			if err := ns.Emit("event"); err != nil {
				t.Fatal(err)
			}
			total += round
			a.wait(total)
		})
	}
	// pools lose some of what they hold, under the race detector on purpose
	if perReceiver := (counts[many] - counts[few]) / (many - few); perReceiver > 0.9 {
		t.Errorf("a broadcast to %d allocates %v times, to %d %v times: %v for each receiver, want none",
			few, counts[few], many, counts[many], perReceiver)
	}
}

// waitForSockets waits until n clients have joined: raw WebSockets get no answer.
func waitForSockets(tb testing.TB, ns *socketio.Namespace, n int) {
	tb.Helper()
	waittest.Until(tb, fmt.Sprintf("%d sockets have joined", n), func() bool { return ns.All().Len() >= n })
}
