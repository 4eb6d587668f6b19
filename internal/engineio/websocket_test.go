package engineio

import (
	"bytes"
	"strings"
	"testing"
)

func TestMessagesOfAllSizesAreEchoed(t *testing.T) {
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
	if first, payload, err := s.readFrame(); err != nil || first != frameBinary ||
		!bytes.Equal(payload, []byte{1, 2, 3}) {
		t.Errorf("binary echo = %#x % x, %v", first, payload, err)
	}
	s.hangUp()
	h.wantClosed(s.sid, ErrTransportClosed)
	h.wantClosed(s.sid, ErrClientClosed) // unlike a lost connection, which has no closing handshake
	lost := h.webSocket(webSocketURL)
	_ = lost.conn.Close()
	h.wantClosed(lost.sid, ErrTransportClosed)
	if h.endedWith(lost.sid, ErrClientClosed) {
		t.Error("a lost connection counts as closed by the client")
	}
}

func TestPingBetweenFragmentsIsAnswered(t *testing.T) {
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

// RFC 6455, sections 5.1 to 5.5 and 8.1: each violation is answered with its close code, and TCP
// ends after that.
func TestWebSocketViolationsAreAnsweredWithCloseCodes(t *testing.T) {
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
		{"text within a fragmented text", append(clientFrame(0x01, []byte("4x")), clientFrame(frameText,
			[]byte("4y"))...), closeProtocolError},
		{"close code 1005", clientFrame(frameClose, []byte{0x03, 0xed}), closeProtocolError},
		{"close reason not UTF-8", clientFrame(frameClose, []byte{0x03, 0xe8, 0xff}), closeProtocolError},
		{"text not UTF-8", clientFrame(frameText, []byte("4\xff\xfe")), closeInvalidData},
		{"text not UTF-8, cut by fragments", append(clientFrame(0x01, []byte("4\xe2\x82")), clientFrame(0x80,
			[]byte("x"))...), closeInvalidData},
		{"message too big", clientFrame(frameText, make([]byte, 1001)), closeTooBig},
		{"frame of 2^62 bytes", []byte{frameText, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, closeTooBig},
		{"fragments too big together", append(clientFrame(0x01, make([]byte, 600)), clientFrame(0x80, make([]byte,
			600))...), closeTooBig},
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

// RFC 6455 section 5.5.1: an endpoint echoes the status code of the close frame that it receives.
func TestCloseFrameIsAnsweredWithItsCode(t *testing.T) {
	h := serve(t, Options{})
	for _, row := range []struct {
		why      string
		payload  []byte
		answered []byte
	}{
		{"normal closure", []byte{0x03, 0xe8}, []byte{0x03, 0xe8}},
		{"going away, with a reason", []byte("\x03\xe9tab closed"), []byte{0x03, 0xe9}},
		{"a code of the application", []byte{0x10, 0xe1}, []byte{0x10, 0xe1}},
		{"no code", nil, nil},
	} {
		s := h.webSocket(webSocketURL)
		s.write(clientFrame(frameClose, row.payload))
		first, payload, err := s.readFrame()
		if err != nil || first != frameClose || !bytes.Equal(payload, row.answered) {
			t.Errorf("%s: answer %#x % x, %v, want close frame % x", row.why, first, payload, err, row.answered)
		}
		if _, _, err := s.readFrame(); err == nil {
			t.Errorf("%s: the connection stays open", row.why)
		}
		_ = s.conn.Close()
		h.wantClosed(s.sid, ErrClientClosed)
	}
}

func TestClosePacketEndsTheSession(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	s.send("1")
	s.wantClose("a close packet closes", closeNormal)
	h.wantClosed(s.sid, ErrClientClosed)
}

func TestCloseSendsTheQueueBeforeTheReason(t *testing.T) {
	h := serve(t, Options{})
	s := h.webSocket(webSocketURL)
	session := h.session()
	if err := session.Send(Message{Data: []byte("last words")}); err != nil {
		t.Fatal(err)
	}
	reason := &ProtocolError{Code: 4001, Reason: "go away"}
	session.Close(reason)
	session.Close(ErrServerClosed) // too late to matter
	s.want("the queue comes first", "4last words")
	s.wantClose("then the reason", 4001)
	h.wantClosed(s.sid, reason)
	if err := session.Send(Message{Data: []byte("x")}); err != ErrClosed {
		t.Errorf("Send on a closed session = %v, want ErrClosed", err)
	}
}

func TestRawWebSocketEchoes(t *testing.T) {
	h := serve(t, Options{})
	h.opened = func(s *Session) { _ = s.Send(Message{Data: []byte("welcome")}) }
	s := h.webSocket("/ws")
	s.want("messages of Opened come first", "welcome")
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
	h.want("a GET without upgrade", "GET", "/ws", "", 426, "this address speaks WebSocket\n")
}

func TestProtocol3OverWebSocket(t *testing.T) {
	h := serve(t, Options{Protocol3: true})
	s := h.webSocket("/engine.io/?EIO=3&transport=websocket")
	s.send("2")
	s.want("the client pings", "3")
	s.send("4x")
	s.want("text as in protocol 4", "4x")
	s.write(clientFrame(frameBinary, []byte{4, 1, 2}))
	if first, payload, err := s.readFrame(); err != nil || first != frameBinary ||
		!bytes.Equal(payload, []byte{4, 1, 2}) {
		t.Errorf("binary echo = %#x % x, %v, want the type before it", first, payload, err)
	}
	s.hangUp()
}

func TestProtocol3PongIsAMistake(t *testing.T) {
	h := serve(t, Options{Protocol3: true})
	s := h.webSocket("/engine.io/?EIO=3&transport=websocket")
	s.send("3")
	s.wantClose("a pong to no ping", closePolicyViolation)
}
