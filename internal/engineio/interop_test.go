package engineio

import (
	"bufio"
	"fmt"
	"net/http"
	"testing"
)

// A browser, ws and undici fail a WebSocket whose subprotocols the server does not answer. The reference implementation
// accepts the first.
func TestSubprotocolIsAccepted(t *testing.T) {
	h := serve(t, Options{})
	defer h.shutdown()
	for _, target := range []string{webSocketURL, "/ws"} {
		for offered, want := range map[string]string{"chat": "chat", "one, two": "one", "": "", "a b": ""} {
			c, err := h.dial()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
				"Sec-WebSocket-Protocol: %s\r\n\r\n", target, offered)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || response.Header.Get("Sec-WebSocket-Protocol") != want {
				t.Errorf("%s: subprotocols %q are answered by %v, %v, want %q", target, offered, response, err, want)
			}
			_ = c.Close()
		}
	}
}

// The official clients of protocols 4 and 3 with forceBase64 send and take binary messages as text on a WebSocket.
func TestForceBase64OnWebSocket(t *testing.T) {
	for _, test := range []struct{ protocol, message string }{{"4", "bAQID"}, {"3", "b4AQID"}} {
		t.Run("protocol "+test.protocol, func(t *testing.T) {
			h := serve(t, Options{Protocol3: true})
			defer h.shutdown()
			s := h.webSocket("/engine.io/?EIO=" + test.protocol + "&transport=websocket&b64=1")
			s.write(clientFrame(frameText, []byte(test.message)))
			s.want("a binary message comes back as it came", test.message)
			s.write(clientFrame(frameText, []byte("4text")))
			s.want("and text as text", "4text")
			s.hangUp()
		})
	}
}

// The reference implementation takes any query in which it finds what it needs.
func TestQueryMayHaveMalformedParameters(t *testing.T) {
	h := serve(t, Options{CloseTimeout: shortClose})
	defer h.shutdown()
	for query, want := range map[string]string{"&note=100%": "100%", "&note=a;b": "a;b", "&note=%zz&x": "%zz",
		"&note=a+b%20c": "a b c"} {
		if got := h.get(pollingURL + query); got.status != http.StatusOK {
			t.Errorf("handshake with %s = %d %q, want 200", query, got.status, got.body)
		}
		if got := h.session().Handshake().Query().Get("note"); got != want {
			t.Errorf("Query of %s has note=%q, want %q", query, got, want)
		}
	}
}

// The header of an unmasked control frame is two bytes, and enough to see the mistake.
func TestUnmaskedControlFrameClosesAtOnce(t *testing.T) {
	h := serve(t, Options{})
	defer h.shutdown()
	for _, first := range []byte{framePing, framePong} {
		s := h.webSocket(webSocketURL)
		s.write([]byte{first, 0})
		s.wantClose("client's frames are masked", closeProtocolError)
	}
}
