package engineio

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// recording is a connection with all of a client's input, which is read step bytes at a time.
type recording struct {
	net.Conn // nil: nothing else is called
	input    []byte
	step     int
	written  []byte
}

func (c *recording) Read(b []byte) (int, error) {
	n := copy(b, c.input[:min(c.step, len(c.input))])
	c.input = c.input[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *recording) Write(b []byte) (int, error) {
	c.written = append(c.written, b...)
	return len(b), nil
}

func (c *recording) SetReadDeadline(time.Time) error { return nil }

// replay reads a WebSocket to its end. It returns the messages and the bytes written in answer.
// With gorillaAlone takeControl is not called.
func replay(t *testing.T, input []byte, step int, gorillaAlone bool) (messages []string, answered []byte) {
	h := newHost(t, Options{MaxMessageSize: 5000})
	c := &recording{input: input, step: step}
	ws := h.acceptRecording(c)
	for {
		if !gorillaAlone {
			if taken, err := ws.takeControl(); err != nil {
				t.Fatal(err)
			} else if taken {
				continue
			}
		}
		m, _, err := ws.read()
		if err != nil {
			return messages, c.written
		}
		messages = append(messages, string(m.b))
		m.release()
	}
}

func (h *host) acceptRecording(c *recording) *conn {
	input := c.input
	c.input = nil // nothing before the handshake is done
	ws, err := h.server.acceptWebSocket(&hijackableResponse{conn: c, hijacked: func() {}}, upgradeRequest(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	c.input = input
	return ws
}

// FuzzStream compares reading a connection, with pings and pongs taken by takeControl, with gorilla
// reading it alone.
func FuzzStream(f *testing.F) {
	text, ping, pong := clientFrame(frameText, []byte("hello")), clientFrame(
		framePing,
		[]byte("ping"),
	), clientFrame(framePong, nil)
	f.Add(slices.Concat(text, ping, text, pong, pong, ping), uint16(7))
	f.Add(slices.Concat(clientFrame(frameText, bytes.Repeat([]byte("hello"), 1000)), ping, text, pong), uint16(4000))
	f.Add(slices.Concat(clientFrame(0x01, []byte("4")), ping, clientFrame(0x80, []byte("x")), ping,
		clientFrame(frameClose, []byte{3, 232})), uint16(1))
	f.Add(slices.Concat(clientFrame(frameBinary, make([]byte, 300)), clientFrame(0x09, nil), text), uint16(50))
	f.Fuzz(func(t *testing.T, input []byte, step uint16) {
		messages, answered := replay(t, input, int(step)+1, false)
		wantMessages, wantAnswered := replay(t, input, int(step)+1, true)
		if !slices.Equal(messages, wantMessages) || !bytes.Equal(answered, wantAnswered) {
			t.Errorf("read %q and answered % x, want %q and % x", messages, answered, wantMessages, wantAnswered)
		}
	})
}

// FuzzClientAddress checks that any header of a trusted proxy yields an address, and one that the
// limit of sessions can count.
func FuzzClientAddress(f *testing.F) {
	f.Add("203.0.113.9, 198.51.100.1")
	f.Add("[2001:db8::1]:4711,10.0.0.1")
	f.Add("fe80::1%eth0, ::ffff:10.0.0.1, [::1")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := newRequest("10.0.0.1:5")
		r.Header.Set("X-Forwarded-For", forwarded)
		address := clientAddress(r, trusted)
		if _, err := netip.ParseAddr(address); err != nil {
			t.Errorf("clientAddress with %q = %q: %v", forwarded, address, err)
		}
		if counted := CountedAddress(address); strings.Contains(counted, ":") != strings.HasSuffix(counted, "/64") {
			t.Errorf("CountedAddress(%q) = %q", address, counted)
		}
	})
}
