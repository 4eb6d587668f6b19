package engineio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatapp/internal/waittest"
)

// socket is a WebSocket client that can write any bytes, valid or not.
type socket struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	sid  string
}

// webSocket opens a WebSocket session, reads its open packet, if it has one, and waits for Opened.
func (h *host) webSocket(target string, header ...string) *socket {
	h.t.Helper()
	before := h.openedCount()
	s := h.rawWebSocket(target, header...)
	waittest.Until(h.t, "Opened is called", func() bool { return h.openedCount() > before })
	if !strings.HasPrefix(target, "/ws") {
		s.sid = sidOf(h.t, s.readText())
	}
	return s
}

const webSocketURL = "/engine.io/?EIO=4&transport=websocket"

func (h *host) rawWebSocket(target string, header ...string) *socket {
	h.t.Helper()
	c, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	s := &socket{t: h.t, conn: c, r: bufio.NewReader(c)}
	var extra strings.Builder
	for i := 0; i < len(header); i += 2 {
		fmt.Fprintf(&extra, "%s: %s\r\n", header[i], header[i+1])
	}
	s.write(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n", target, extra.String()))
	response, err := http.ReadResponse(s.r, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		h.t.Fatalf("GET %s = %s, want 101", target, response.Status)
	}
	return s
}

func (s *socket) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

// clientFrame is a masked frame; first and size are as given, right or wrong.
func clientFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

func (s *socket) send(text string) { s.t.Helper(); s.write(clientFrame(frameText, []byte(text))) }

// readFrame reads a frame of the server's.
func (s *socket) readFrame() (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(s.r, b[:])
		size = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(s.r, b[:])
		size = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.r, payload)
	return head[0], payload, err
}

func (s *socket) readText() string {
	s.t.Helper()
	first, payload, err := s.readFrame()
	if err != nil || first != frameText {
		s.t.Fatalf("read frame %#x %q, %v, want text", first, payload, err)
	}
	return string(payload)
}

// want reads the next text message.
func (s *socket) want(why, text string) {
	s.t.Helper()
	if got := s.readText(); got != text {
		s.t.Fatalf("%s: got %q, want %q", why, got, text)
	}
}

// wantClose reads a close frame with the code, answers it, and wants the end of the connection.
func (s *socket) wantClose(why string, code int) {
	s.t.Helper()
	if err := s.awaitClose(code); err != nil {
		s.t.Fatalf("%s: %v", why, err)
	}
}

// awaitClose is wantClose for a goroutine that is not the test's.
func (s *socket) awaitClose(code int) error {
	for {
		first, payload, err := s.readFrame()
		if err != nil {
			return fmt.Errorf("read %w, want close frame %d", err, code)
		}
		if first != frameClose {
			continue
		}
		if len(payload) < 2 || int(binary.BigEndian.Uint16(payload)) != code {
			return fmt.Errorf("close frame % x, want code %d", payload, code)
		}
		break
	}
	_, _ = s.conn.Write(clientFrame(frameClose, []byte{0x03, 0xe8})) // the server may have closed already
	_, err := io.Copy(io.Discard, s.r)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("after the closing handshake read %w, want EOF", err)
	}
	_ = s.conn.Close()
	return nil
}

// awaitEnd wants the end of the connection without a close frame, and closes the other direction.
func (s *socket) awaitEnd() error {
	for {
		first, payload, err := s.readFrame()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, syscall.ECONNRESET):
			return s.conn.Close()
		case err != nil:
			return fmt.Errorf("read %w, want EOF", err)
		case first == frameClose:
			return fmt.Errorf("close frame % x, want none", payload)
		}
	}
}

// hangUp closes in the protocol's way and waits for the server to do so.
func (s *socket) hangUp() {
	s.t.Helper()
	s.write(clientFrame(frameClose, []byte{0x03, 0xe8}))
	_, _ = io.Copy(io.Discard, s.r)
	_ = s.conn.Close()
}
