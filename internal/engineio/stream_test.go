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

// tape is a connection on which a client has said everything already; it is read so many bytes at a time.
type tape struct {
	net.Conn // nil: nothing else is called
	said     []byte
	step     int
	written  []byte
}

func (c *tape) Read(b []byte) (int, error) {
	n := copy(b, c.said[:min(c.step, len(c.said))])
	c.said = c.said[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *tape) Write(b []byte) (int, error) {
	c.written = append(c.written, b...)
	return len(b), nil
}

func (c *tape) SetReadDeadline(time.Time) error { return nil }

// play reads a WebSocket to its end and returns the messages, and what was answered. With gorillaAlone no frame is taken before gorilla sees it.
func play(t *testing.T, said []byte, step int, gorillaAlone bool) (messages []string, answered []byte) {
	h := newHost(t, Options{MaxMessageSize: 5000})
	c := &tape{said: said, step: step}
	ws := h.upgradeTape(c)
	for {
		if !gorillaAlone && ws.takeControl() {
			continue
		}
		m, _, err := ws.read()
		if err != nil {
			return messages, c.written
		}
		messages = append(messages, string(m.b))
		m.release()
	}
}

func (h *host) upgradeTape(c *tape) *conn {
	said := c.said
	c.said = nil // nothing before the handshake is done
	ws, err := h.server.acceptWebSocket(&hijackable{conn: c, hijacked: func() {}}, upgradeRequest(h.t))
	if err != nil {
		h.t.Fatal(err)
	}
	c.said = said
	return ws
}

// FuzzStream holds what is read of a connection, with pings and pongs taken out before gorilla sees them, against what gorilla makes of it
// alone.
func FuzzStream(f *testing.F) {
	text, ping, pong := clientFrame(frameText, []byte("hello")), clientFrame(framePing, []byte("ping")), clientFrame(framePong, nil)
	f.Add(slices.Concat(text, ping, text, pong, pong, ping), uint16(7))
	f.Add(slices.Concat(clientFrame(frameText, bytes.Repeat([]byte("hello"), 1000)), ping, text, pong), uint16(4000))
	f.Add(slices.Concat(clientFrame(0x01, []byte("4")), ping, clientFrame(0x80, []byte("x")), ping,
		clientFrame(frameClose, []byte{3, 232})), uint16(1))
	f.Add(slices.Concat(clientFrame(frameBinary, make([]byte, 300)), clientFrame(0x09, nil), text), uint16(50))
	f.Fuzz(func(t *testing.T, said []byte, step uint16) {
		messages, answered := play(t, said, int(step)+1, false)
		wantMessages, wantAnswered := play(t, said, int(step)+1, true)
		if !slices.Equal(messages, wantMessages) || !bytes.Equal(answered, wantAnswered) {
			t.Errorf("read %q and answered % x, want %q and % x", messages, answered, wantMessages, wantAnswered)
		}
	})
}

// FuzzClientAddress takes anything from a trusted proxy: what comes out is an address, and one that is allowed for in the count of sessions.
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
		if held := limitedAddress(address); strings.Contains(held, ":") != strings.HasSuffix(held, "/64") {
			t.Errorf("limitedAddress(%q) = %q", address, held)
		}
	})
}
