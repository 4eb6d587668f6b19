package engineio

import (
	"bytes"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func newRequest(remote string) *http.Request {
	return &http.Request{Method: "GET", RemoteAddr: remote, Header: http.Header{}, Host: "chat.test"}
}

func TestMessagesBothWays(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	for _, size := range []int{0, 1, 125, 126, 255, 256, 257, 5000, 70000, 900_000} {
		text := "4" + strings.Repeat("x", size)
		s.send(text)
		if got := s.readText(); got != text {
			t.Fatalf("echo of %d bytes has %d", len(text), len(got))
		}
	}
	s.write(clientFrame(frameBinary, []byte{1, 2, 3}))
	if first, payload, err := s.readFrame(); err != nil || first != frameBinary || !bytes.Equal(payload, []byte{1, 2, 3}) {
		t.Errorf("binary echo = %#x % x, %v", first, payload, err)
	}
	s.hangUp()
	h.wantClosed(s.sid, ErrTransportClosed)
	h.wantClosed(s.sid, ErrClientClosed) // the closing handshake tells it from a connection that is lost
	lost := h.webSocket(webSocketURL)
	_ = lost.conn.Close()
	h.wantClosed(lost.sid, ErrTransportClosed)
	if h.endedWith(lost.sid, ErrClientClosed) {
		t.Error("a lost connection counts as closed by the client")
	}
}

func TestFragmentsAndControlFramesBetween(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	s.write(clientFrame(0x01, []byte("4he")))
	s.write(clientFrame(framePing, []byte("x")))
	s.write(clientFrame(0x80, []byte("llo")))
	if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "x" {
		t.Errorf("answer to a ping between fragments = %#x %q, %v", first, payload, err)
	}
	s.want("the fragments are one message", "4hello")
	s.hangUp()
}

// RFC 6455, sections 5.1 to 5.5 and 8.1: each violation is answered with its close code, and TCP ends after that.
func TestViolationsOfWebSocket(t *testing.T) {
	h := serve(t, Options{MaxMessageSize: 1000})
	unmasked := []byte{frameText, 2, '4', 'x'}
	for _, row := range []struct {
		name  string
		bytes []byte
		code  int
	}{
		{"unmasked frame", unmasked, closeProtocolError},
		{"reserved bit 1 without an extension", clientFrame(frameText|0x40, []byte("4x")), closeProtocolError},
		{"reserved bit 2", clientFrame(frameText|0x20, []byte("4x")), closeProtocolError},
		{"reserved bit 3", clientFrame(frameText|0x10, []byte("4x")), closeProtocolError},
		{"reserved opcode", clientFrame(0x83, []byte("4x")), closeProtocolError},
		{"reserved control opcode", clientFrame(0x8b, nil), closeProtocolError},
		{"fragmented ping", clientFrame(0x09, nil), closeProtocolError},
		{"ping of 126 bytes", clientFrame(framePing, make([]byte, 126)), closeProtocolError},
		{"continuation of nothing", clientFrame(0x80, []byte("4x")), closeProtocolError},
		{"text within a fragmented text", append(clientFrame(0x01, []byte("4x")), clientFrame(frameText, []byte("4y"))...), closeProtocolError},
		{"close code 1005", clientFrame(frameClose, []byte{0x03, 0xed}), closeProtocolError},
		{"close reason not UTF-8", clientFrame(frameClose, []byte{0x03, 0xe8, 0xff}), closeProtocolError},
		{"text not UTF-8", clientFrame(frameText, []byte("4\xff\xfe")), closeInvalidData},
		{"text not UTF-8, cut by fragments", append(clientFrame(0x01, []byte("4\xe2\x82")), clientFrame(0x80, []byte("x"))...), closeInvalidData},
		{"message too big", clientFrame(frameText, make([]byte, 1001)), closeTooBig},
		{"frame of 2^62 bytes", []byte{frameText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, closeTooBig},
		{"fragments too big together", append(clientFrame(0x01, make([]byte, 600)), clientFrame(0x80, make([]byte, 600))...), closeTooBig},
		{"empty packet", clientFrame(frameText, nil), closePolicyViolation},
		{"unknown packet", clientFrame(frameText, []byte("abc")), closePolicyViolation},
		{"ping, which is the server's", clientFrame(frameText, []byte("2")), closePolicyViolation},
		{"upgrade out of time", clientFrame(frameText, []byte("5")), closePolicyViolation},
		{"open, which is the server's", clientFrame(frameText, []byte("0{}")), closePolicyViolation},
	} {
		t.Run(row.name, func(t *testing.T) {
			h.t = t
			s := h.webSocket(webSocketURL)
			s.write(row.bytes)
			s.wantClose(row.name, row.code)
		})
	}
	h.t = t
	other := h.webSocket(webSocketURL)
	other.send("4x")
	other.want("others are served as before", "4x")
	other.hangUp()
}

func TestClientClosesByPacket(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	s.send("1")
	s.wantClose("a close packet closes", closeNormal)
	h.wantClosed(s.sid, ErrClientClosed)
}

func TestServerClosesWithReason(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	session := h.session()
	if err := session.Send(Message{Data: []byte("last words")}); err != nil {
		t.Fatal(err)
	}
	reason := &ProtocolError{Code: 4001, Reason: "go away"}
	session.Close(reason)
	session.Close(ErrServerClosed) // too late to matter
	s.want("what was sent before goes out", "4last words")
	s.wantClose("then the reason", 4001)
	h.wantClosed(s.sid, reason)
	if err := session.Send(Message{Data: []byte("x")}); err != ErrClosed {
		t.Errorf("Send on a closed session = %v, want ErrClosed", err)
	}
}

func TestBareWebSocket(t *testing.T) {
	h := serve(t, Options{})
	h.opened = func(s *Session) { _ = s.Send(Message{Data: []byte("welcome")}) }
	s := h.webSocket("/ws")
	s.want("what Opened sends comes first", "welcome")
	s.send("2probe is no packet here")
	s.want("messages are as they are", "2probe is no packet here")
	s.write(clientFrame(framePing, []byte("p")))
	if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "p" {
		t.Errorf("answer to a ping = %#x %q, %v", first, payload, err)
	}
	if got := h.session().Protocol(); got != Raw {
		t.Errorf("Protocol = %v, want Raw", got)
	}
	s.hangUp()
	h.want("a plain GET is told", "GET", "/ws", "", 426, "this address speaks WebSocket\n")
}

// A pong is all that an idle client of the bare door ever sends: it must not leave a reader behind that waits for a message.
func TestPongsHoldNoReaders(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("on other systems every session reads on its own goroutine")
	}
	h := serve(t, Options{})
	var sockets []*socket
	for range 20 {
		s := h.webSocket("/ws")
		s.send("hello")
		s.want("a message", "hello")
		parts := clientFrame(framePing, []byte("in parts"))
		s.write(parts[:1])
		s.write(parts[1:7])
		s.write(parts[7:])
		if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "in parts" {
			t.Errorf("answer to a ping = %#x %q, %v, want %q", first, payload, err, "in parts")
		}
		s.write(clientFrame(framePong, nil))
		s.write(slices.Concat(clientFrame(framePing, []byte("one")), clientFrame(framePing, []byte("two"))))
		for _, want := range []string{"one", "two"} {
			if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != want {
				t.Errorf("answer to a ping = %#x %q, %v, want %q", first, payload, err, want)
			}
		}
		sockets = append(sockets, s)
	}
	h.waitFor("no reader is at work", func() bool { return !stackHas("engineio.(*Session).read(") })
	for i, s := range sockets {
		s.write(slices.Concat(clientFrame(frameText, []byte("a")), clientFrame(framePing, []byte("b")), clientFrame(frameText, []byte("c"))))
		s.want("messages go on", "a")
		if first, payload, err := s.readFrame(); err != nil || first != framePong || string(payload) != "b" {
			t.Errorf("client %d: answer to a ping between messages = %#x %q, %v", i, first, payload, err)
		}
		s.want("behind a ping, too", "c")
		s.hangUp()
	}
}

// stackHas tells whether some goroutine is within the function.
func stackHas(function string) bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte(function))
}

// What is not exactly a whole ping or pong of a client is left to who knows all the rules.
func TestCutControl(t *testing.T) {
	long := clientFrame(framePing, bytes.Repeat([]byte("x"), 125))
	for _, row := range []struct {
		name    string
		in      []byte
		payload string
		size    int
	}{
		{"ping", clientFrame(framePing, []byte("hello")), "hello", 11},
		{"empty pong", clientFrame(framePong, nil), "", 6},
		{"longest", long, strings.Repeat("x", 125), 131},
		{"with more behind", append(clientFrame(framePong, []byte("p")), 1, 2, 3), "p", 7},
		{"nothing", nil, "", 0},
		{"cut short", long[:130], "", 0},
		{"header cut short", long[:5], "", 0},
		{"text", clientFrame(frameText, []byte("hello")), "", 0},
		{"close", clientFrame(frameClose, nil), "", 0},
		{"not masked", []byte{framePing, 4, 1, 2, 3, 4}, "", 0},
		{"fragmented", clientFrame(framePing&^0x80, nil), "", 0},
		{"reserved bit", clientFrame(framePing|0x40, nil), "", 0},
		{"too long", clientFrame(framePing, make([]byte, 126)), "", 0},
	} {
		if payload, size := cutControl(row.in); payload != row.payload || size != row.size {
			t.Errorf("%s: cutControl(%x) = %q, %d, want %q, %d", row.name, row.in, payload, size, row.payload, row.size)
		}
	}
}

func FuzzControl(f *testing.F) {
	f.Add(clientFrame(framePing, []byte("hello")))
	f.Add(append(clientFrame(framePong, nil), clientFrame(frameText, []byte("x"))...))
	f.Add([]byte{framePing, 4, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		payload, size := cutControl(b)
		if size == 0 {
			return
		}
		same := clientFrame(b[0], []byte(payload)) // but for the mask
		if size != len(same) || !bytes.Equal(same[:2], b[:2]) {
			t.Fatalf("cutControl(%x) = %q, %d, which encodes to %x", b, payload, size, same)
		}
		for i, c := range []byte(payload) {
			if c^b[2+i%4] != b[6+i] {
				t.Fatalf("cutControl(%x) = %q: byte %d is wrong", b, payload, i)
			}
		}
	})
}

func TestProtocol3WebSocket(t *testing.T) {
	h := serve(t, Options{Protocol3: true})
	s := h.webSocket("/engine.io/?EIO=3&transport=websocket")
	s.send("2")
	s.want("the client pings", "3")
	s.send("4x")
	s.want("text as in protocol 4", "4x")
	s.write(clientFrame(frameBinary, []byte{4, 1, 2}))
	if first, payload, err := s.readFrame(); err != nil || first != frameBinary || !bytes.Equal(payload, []byte{4, 1, 2}) {
		t.Errorf("binary echo = %#x % x, %v, want the type before it", first, payload, err)
	}
	s.hangUp()
}
