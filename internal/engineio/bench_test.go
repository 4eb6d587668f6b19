package engineio

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// benchHost opens count WebSocket sessions on loopback whose clients count the bytes they get.
func benchHost(b *testing.B, count int) (sessions []*Session, got chan int) {
	t := &testing.T{}
	h := serveBench(b, t)
	got = make(chan int, count)
	for range count {
		s := h.webSocket(webSocketURL)
		sessions = append(sessions, h.session())
		go func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := s.conn.Read(buffer)
				if err != nil {
					return
				}
				got <- n
			}
		}()
		b.Cleanup(func() { _ = s.conn.Close() })
	}
	return sessions, got
}

func serveBench(b *testing.B, t *testing.T) *host {
	h := newHost(t, Options{CloseTimeout: shortClose})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := httpServer(h)
	go func() { _ = server.Serve(l) }()
	h.dial = func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
	b.Cleanup(func() {
		_ = h.server.Shutdown(b.Context())
		_ = server.Close()
	})
	return h
}

// BenchmarkBroadcast sends one message to all sessions and waits until every client has it: what a
// delivery costs with one message in a queue. With burst=32 so many messages share a write, as on a
// busy server.
func BenchmarkBroadcast(b *testing.B) {
	for _, count := range []int{1, 100, 1000} {
		for _, burst := range []int{1, 32} {
			b.Run(fmt.Sprintf("sockets=%d/burst=%d", count, burst), func(b *testing.B) {
				sessions, got := benchHost(b, count)
				data := bytes.Repeat([]byte("x"), 64)
				frame := len(appendFrame(nil, frameText, "4", data))
				b.ReportAllocs()
				for b.Loop() {
					for range burst {
						p := prepareOne(Message{Data: data})
						for _, s := range sessions {
							_ = s.SendPrepared(p)
						}
					}
					for want := burst * count * frame; want > 0; {
						want -= <-got
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst*count), "ns/delivery")
			})
		}
	}
}

// BenchmarkReceive reads small frames as fast as they come.
func BenchmarkReceive(b *testing.B) {
	t := &testing.T{}
	h := serveBench(b, t)
	const batch = 100
	done := make(chan struct{})
	count := 0
	h.received = func(*Session, Message) {
		if count++; count%batch == 0 {
			done <- struct{}{}
		}
	}
	s := h.webSocket(webSocketURL)
	frames := bytes.Repeat(clientFrame(frameText, append([]byte("4"), bytes.Repeat([]byte("x"), 64)...)), batch)
	b.SetBytes(int64(len(frames)))
	b.ReportAllocs()
	for b.Loop() {
		s.write(frames)
		<-done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
	_ = s.conn.Close()
}

func BenchmarkPayload(b *testing.B) {
	payload := bytes.Repeat([]byte("4"+string(bytes.Repeat([]byte("x"), 64))+"\x1e"), 100)
	payload = payload[:len(payload)-1]
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		for p, err := range packets(payload) {
			if err != nil || len(p.data) != 64 {
				b.Fatal(p, err)
			}
		}
	}
}

// The broadcast path allocates nothing per session.
func TestSendPreparedAllocatesNothing(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	go func() { _, _ = io.Copy(io.Discard, s.conn) }()
	session := h.session()
	p := Prepare(Message{Data: []byte("hello")})
	if got := testing.AllocsPerRun(1000, func() { _ = session.SendPrepared(p) }); got >= 1 {
		t.Errorf("SendPrepared allocates %v times, want less than once: queues and writers are used again", got)
	}
	_ = s.conn.Close()
}
