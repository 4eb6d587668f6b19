package chat

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"chatapp/internal/chat/state"
	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"

	"github.com/gorilla/websocket"
)

// discard is a log that takes everything and gives back nothing.
type discard struct{}

func (discard) Append([]byte) error                    { return nil }
func (discard) AppendFor([]byte, string, string) error { return nil }

// listeners are clients that only count the frames they receive.
type listeners struct {
	frames atomic.Int64
	wake   chan struct{} // size 1: frames has changed
	conns  []*websocket.Conn
	all    sync.WaitGroup
}

// newStage serves a chat to n clients without a nickname, which listen to the lobby.
func newStage(b *testing.B, n int) (*Chat, *listeners) {
	c := New(Options{})
	server := socketio.NewServer(socketio.Options{Recovery: c.Recovery()})
	c.Attach(server.Of("/"), Backplane{Instance: "here", Log: discard{}})
	host := socketiotest.Serve(b, server, engineio.Options{})
	h := &listeners{wake: make(chan struct{}, 1)}
	b.Cleanup(func() {
		for _, conn := range h.conns {
			_ = conn.Close()
		}
		h.all.Wait()
		c.Close()
	})
	dialer := websocket.Dialer{ReadBufferSize: 512, WriteBufferSize: 512}
	for range n {
		conn, _, err := dialer.Dial("ws://"+host.Address()+"/socket.io/?EIO=4&transport=websocket", nil)
		if err != nil {
			b.Fatal(err)
		}
		h.conns = append(h.conns, conn)
		if err := conn.WriteMessage(websocket.TextMessage, []byte("40")); err != nil {
			b.Fatal(err)
		}
		for range 5 { // open, connect, session, history, status
			if _, _, err := conn.ReadMessage(); err != nil {
				b.Fatal(err)
			}
		}
		h.all.Go(func() { h.count(conn.NetConn()) })
	}
	return c, h
}

// count counts WebSocket frames until the connection ends.
func (h *listeners) count(conn net.Conn) {
	r := bufio.NewReaderSize(conn, 1024)
	var head [2]byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		length := int(head[1])
		if length == 126 {
			if _, err := io.ReadFull(r, head[:]); err != nil {
				return
			}
			length = int(binary.BigEndian.Uint16(head[:]))
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		h.frames.Add(1)
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

func (h *listeners) wait(frames int64) {
	for h.frames.Load() < frames {
		<-h.wake
	}
}

// BenchmarkMessage applies a message of another instance and sends it to everybody here, over TCP; a round is over when
// the last one has it. 9,900 sockets are what 20,000 file descriptors allow.
func BenchmarkMessage(b *testing.B) {
	for _, n := range []int{0, 1, 100, 1000, 9_900} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			c, h := newStage(b, n)
			number := uint64(0)
			apply := func(command *state.Command) {
				number++
				c.Apply(Entry{Instance: "there", Epoch: 1, Number: number, Time: 1_790_000_000_000,
					Body: command.Encode()})
			}
			claim := claimOf(1, "Ann")
			apply(&claim)
			h.wait(2 * int64(n)) // announcement and nicknames
			total := h.frames.Load()
			say := &state.Say{Room: state.Lobby, Text: strings.Repeat("x", 64)}
			b.ReportAllocs()
			for b.Loop() {
				say.CID = fmt.Sprint("m", number)
				apply(&state.Command{Conn: 1, Action: say})
				total += int64(n)
				h.wait(total)
			}
			if n > 0 {
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "deliveries/s")
			}
		})
	}
}

// BenchmarkManyJoin lets a thousand users join and leave, all of them again and again, with clients here that listen.
func BenchmarkManyJoin(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("sockets=%d", n), func(b *testing.B) {
			const people = 1000
			c, h := newStage(b, n)
			before := h.frames.Load()
			number := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				conn := number % people
				command := state.Command{Conn: conn, Action: &state.LeaveChat{}}
				if number/people%2 == 0 {
					command = claimOf(conn, fmt.Sprint("Guest ", conn))
				}
				number++
				c.Apply(Entry{Instance: "there", Epoch: 1, Number: number, Time: 1_790_000_000_000,
					Body: command.Encode()})
			}
			b.ReportMetric(float64(h.frames.Load()-before)/float64(b.N), "frames/op")
		})
	}
}
