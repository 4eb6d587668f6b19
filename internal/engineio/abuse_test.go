package engineio

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatapp/internal/tokenbucket"
	"chatapp/internal/waittest"
)

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// A client may never read and still answer the pings that it knows must come. Its queue is bounded,
// it is closed, memory stays flat, and others are served.
func TestSlowReaderIsClosed(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 1 << 20, CloseTimeout: time.Second})
	slow := h.webSocket(webSocketURL)
	session := h.session()
	other := h.webSocket(webSocketURL)
	before := heapInUse()
	message := Prepare(Message{Data: bytes.Repeat([]byte("x"), 32<<10)})
	sent := 0
	for ; session.SendPrepared(message) == nil; sent++ {
		slow.send("3")
		if sent%100 == 0 {
			other.send("4x")
			other.want("others are served", "4x")
		}
		if sent > 100_000 {
			t.Fatal("a client that does not read is sent to for ever")
		}
	}
	h.wantClosed(slow.sid, ErrSlowConsumer)
	if grown := heapInUse() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if got := h.server.Stats().SlowConsumers; got != 1 {
		t.Errorf("SlowConsumers = %d, want 1", got)
	}
	_ = slow.conn.Close()
	other.hangUp()
}

// The bound of a queue counts memory, for few large messages and many small ones, for one client's
// own and those for many.
func TestQueueCountsTheMemoryItTakes(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 4 << 20, CloseTimeout: shortClose})
	for _, size := range []int{0, 1, 100, 2000, 50_000} {
		own := func(s *Session) error { return s.Send(Message{Data: make([]byte, size, size+24)}) }
		several := func(s *Session) error {
			return s.Send(Message{Data: make([]byte, size)}, Message{Data: make([]byte, size), Binary: true})
		}
		shared := func(s *Session) error {
			p := Prepare(Message{Data: make([]byte, size)})
			p.wire(formatV4) // for another client, which reads
			return s.SendPrepared(p)
		}
		for i, send := range []func(*Session) error{own, several, shared} {
			h.openPolling() // and never poll
			s := h.session()
			before := heapInUse()
			for s.output.size < 4<<20*9/10 {
				if err := send(s); err != nil {
					t.Fatal(err)
				}
			}
			if grown := heapInUse() - before; grown > s.output.size*5/4 {
				t.Errorf("case %d: a queue of messages of %d bytes counts %d bytes, and takes %d", i, size,
					s.output.size, grown)
			}
			s.Close(ErrTransportClosed)
		}
	}
}

// Pings count as frames wherever they come, also between the fragments of a message.
func TestPingsBetweenFragmentsCountAsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{Frames: tokenbucket.NewLimit(1, 10), Refusals: tokenbucket.NewLimit(1, 10)})
		defer end()
		s := h.webSocket(webSocketURL)
		go func() { _, _ = io.Copy(io.Discard, s.conn) }()
		s.write(clientFrame(0x01, []byte("4he")))
		for range 30 {
			_, _ = s.conn.Write(clientFrame(framePing, nil)) // the connection may have ended
		}
		h.wantClosed(s.sid, errTooManyRefusals)
	})
}

// A message may exceed the bound of the queue, if nothing else waits. What follows may not.
func TestOneLargeMessageMayExceedTheQueue(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 1 << 20, CloseTimeout: shortClose})
	sid, target := h.openPolling()
	large := Message{Data: bytes.Repeat([]byte("x"), 2<<20)}
	if err := h.session().Send(large); err != nil {
		t.Fatalf("Send of twice the bound on an empty queue = %v", err)
	}
	h.want("the poll receives it", "GET", target, "", 200, "4"+string(large.Data))
	_ = h.session().Send(large)
	if err := h.session().Send(Message{Data: []byte("y")}); err != ErrSlowConsumer {
		t.Errorf("Send behind it = %v, want %v", err, ErrSlowConsumer)
	}
	h.wantClosed(sid, ErrSlowConsumer)
	if queued := h.server.Stats().QueuedBytes; queued != 0 {
		t.Errorf("QueuedBytes = %d after the queue was dropped, want 0", queued)
	}
}

// Volatile messages don't close a client that lags.
func TestVolatileIsDroppedForClientsThatLag(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	slow := h.webSocket(webSocketURL)
	session := h.session()
	message := Prepare(Message{Data: bytes.Repeat([]byte("x"), 32<<10)})
	dropped := false
	for range 10_000 {
		if !session.SendVolatile(message) {
			dropped = true
			break
		}
	}
	if !dropped || session.reason() != nil {
		t.Errorf("dropped %v, session ended with %v, want true and no end", dropped, session.reason())
	}
	_ = slow.conn.Close()
	h.wantClosed(slow.sid, ErrTransportClosed)
	if session.SendVolatile(message) {
		t.Error("SendVolatile on a closed session = true")
	}
}

func TestQueueStaysWithinItsBound(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 1 << 20, CloseTimeout: shortClose})
	sid, _ := h.openPolling()
	session := h.session()
	most := 0
	for session.Send(Message{Data: make([]byte, 1000)}) == nil {
		most = h.server.Stats().QueuedBytes
	}
	if most > 1<<20 || most < 1<<20-2000 {
		t.Errorf("the queue grew to %d bytes before the session was closed, want nearly %d", most, 1<<20)
	}
	h.wantClosed(sid, ErrSlowConsumer)
}

func TestVolatileIsDroppedWhereNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, end := pipes(t, Options{CloseTimeout: shortClose})
		defer end()
		message := Prepare(Message{Data: []byte("x")})
		_, target := h.openPolling()
		if h.session().SendVolatile(message) {
			t.Error("SendVolatile while no poll waits = true")
		}
		poll := h.poll(target)
		synctest.Wait()
		if !h.session().SendVolatile(message) {
			t.Error("SendVolatile while a poll waits = false")
		}
		h.wantAnswer("the poll receives it", poll, 200, "4x")

		s := h.webSocket(webSocketURL)
		_ = h.session().Send(Message{Data: []byte("blocks the pipe")})
		synctest.Wait()
		if h.session().SendVolatile(message) {
			t.Error("SendVolatile to a full socket = true")
		}
		_ = s.conn.Close()
	})
}

// The client receives all that its full socket could not take, whole and in order, when it reads
// again.
func TestBlockedSocketLosesNothing(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 64 << 20, CloseTimeout: time.Second})
	s := h.webSocket(webSocketURL)
	session := h.session()
	const count = 3000
	for i := range count {
		text := fmt.Appendf(nil, "%06d", i)
		if i%3 == 0 {
			text = append(text, bytes.Repeat([]byte("."), 20<<10)...)
		}
		if err := session.Send(Message{Data: text}); err != nil {
			t.Fatal(err)
		}
	}
	waittest.Until(h.t, "the socket is full", func() bool {
		session.mu.Lock()
		defer session.mu.Unlock()
		return session.output.blocked
	})
	bytesRead := 0
	for i := range count {
		got := s.readText()
		if !strings.HasPrefix(got, fmt.Sprintf("4%06d", i)) {
			t.Fatalf("message %d starts %.20q", i, got)
		}
		bytesRead += len(got)
	}
	// The handshake and the frames' headers count too.
	if out := int(h.server.Stats().BytesOut); out < bytesRead || out > bytesRead+maxFrameHeader*count+1024 {
		t.Errorf("BytesOut = %d, want %d and the framing of %d messages", out, bytesRead, count)
	}
	s.hangUp()
}

// Several goroutines may send to one session at once: the messages of each keep their order, and
// stay together.
func TestConcurrentSendsKeepTheirOrder(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	session := h.session()
	const senders, each = 8, 500
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for i := range each {
				_ = session.Send(Message{Data: fmt.Appendf(nil, "%d %d", sender, i)},
					Message{Data: []byte("and"), Binary: true})
			}
		})
	}
	next := make([]int, senders)
	for range senders * each {
		var sender, i int
		if _, err := fmt.Sscanf(s.readText(), "4%d %d", &sender, &i); err != nil || next[sender] != i {
			t.Fatalf("message %d of sender %d, %v, want %d", i, sender, err, next[sender])
		}
		next[sender]++
		if first, payload, err := s.readFrame(); err != nil || first != frameBinary || string(payload) != "and" {
			t.Fatalf("after it %#x %q, %v, want the second message of the Send", first, payload, err)
		}
	}
	group.Wait()
	s.hangUp()
}

// Tiny packets, in frames and in payloads, leave nothing behind.
func TestTinyPacketsTakeNoMemory(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	received := make(chan struct{})
	count := 0
	const total = 200_000
	h.received = func(*Session, Message) {
		if count++; count == total {
			close(received)
		}
	}
	s := h.webSocket(webSocketURL)
	before := heapInUse()
	frames := bytes.Repeat(clientFrame(frameText, []byte("4")), 10_000)
	for range total / 10_000 {
		s.write(frames)
	}
	<-received
	if grown := heapInUse() - before; grown > 4<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	s.hangUp()

	_, target := h.openPolling()
	h.want("100,000 empty messages in one POST", "POST", target, strings.Repeat("4\x1e", 99_999)+"4", 200, "ok")
}

// A client that sends WebSocket pings and does not read the pongs can't make the server queue them
// without bound.
func TestPingsWithoutReadingQueueFewPongs(t *testing.T) {
	for _, size := range []int{125, 0} {
		h := serve(t, Options{CloseTimeout: shortClose})
		s := h.webSocket(webSocketURL)
		session := h.session()
		_ = s.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		_ = session.conn.Conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
		flood := bytes.Repeat(clientFrame(framePing, make([]byte, size)), 1000)
		_ = s.conn.SetWriteDeadline(time.Now().Add(time.Second))
		for range 200 {
			if _, err := s.conn.Write(flood); err != nil {
				break
			}
			session.mu.Lock()
			queued, memory := session.output.size, 0
			if session.output.queue != nil {
				memory = len(session.output.queue.items) * (size + preparedSize)
			}
			session.mu.Unlock()
			if queued > maxControlBacklog+1024 || memory > maxControlBacklog+1024 {
				t.Fatalf("pings of %d bytes: %d bytes of pongs are queued, in %d bytes of memory", size, queued, memory)
			}
		}
		_ = s.conn.Close()
		h.wantClosed(s.sid, ErrTransportClosed)
	}
}

// A client that pings behind a backlog receives an answer once it has read that. Without one it
// would give up the connection.
func TestPingBehindBacklogIsAnswered(t *testing.T) {
	h := serve(t, Options{MaxQueueBytes: 64 << 20, CloseTimeout: shortClose})
	handled := make(chan struct{})
	h.received = func(*Session, Message) { close(handled) }
	s := h.webSocket("/ws")
	message := Prepare(Message{Data: make([]byte, 64<<10), Binary: true})
	const count = 200
	for range count {
		if err := h.session().SendPrepared(message); err != nil {
			t.Fatal(err)
		}
	}
	s.write(slices.Concat(clientFrame(framePing, []byte("one")), clientFrame(framePing, []byte("two")),
		clientFrame(frameText, []byte("x"))))
	<-handled
	for messages, answered := 0, false; messages < count || !answered; {
		first, payload, err := s.readFrame()
		switch {
		case err != nil:
			t.Fatalf("after %d messages: %v, want an answer to the ping", messages, err)
		case first == frameBinary:
			messages++
		case first == framePong && string(payload) == "two":
			answered = true
		}
	}
	s.hangUp()
}

// After thousands of connects and disconnects, goroutines and heap are where they were. The heap's
// limit is 160 bytes a session.
func TestSessionsLeaveNothingBehind(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	cycle := func(n int) {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for i := range n / 4 {
					s := h.webSocket(webSocketURL)
					s.send("4x")
					s.want("an echo", "4x")
					if i%2 == 0 {
						_ = s.conn.Close()
					} else {
						s.hangUp()
					}
				}
			})
		}
		group.Wait()
		waittest.Until(h.t, "all sessions are gone", func() bool { return h.server.Stats().Sessions == 0 })
		h.mu.Lock()
		clear(h.closed)
		h.last = nil
		h.mu.Unlock()
	}
	cycle(400)
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	const sessions = 3000
	cycle(sessions)
	waittest.Until(h.t, "goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines+2 })
	if grown := heapInUse() - heap; grown > 160*sessions {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// Connections that end within a frame leave no session behind.
func TestConnectionsCutWithinAFrameEnd(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	for range 50 {
		s := h.webSocket(webSocketURL)
		s.write(clientFrame(frameText, []byte("4 half of this"))[:9])
		_ = s.conn.Close()
		h.wantClosed(s.sid, ErrTransportClosed)
	}
	waittest.Until(h.t, "all sessions are gone", func() bool { return h.server.Stats().Sessions == 0 })
}
