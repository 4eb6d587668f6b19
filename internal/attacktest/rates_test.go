package attacktest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// sent has a client send texts until none of ten in a row is taken, and returns how many were.
func (c *client) sent() (n int) {
	for refused := 0; refused < 10; {
		if c.reply("user message", "flood")["ok"] == true {
			n++
			refused = 0
		} else {
			refused++
		}
	}
	return n
}

// A client gets no more messages out by whatever it can do to a connection than by keeping it.
func TestMessageRateSurvivesLeavingAndReconnecting(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	t.Run("leave the chat and come back", func(t *testing.T) {
		c := a.join(newAddress(), "Mallory A")
		n := c.sent()
		for i := range 5 {
			c.request("leave")
			c.request("nickname", fmt.Sprint("Mallory A", i))
			n += c.sent()
		}
		atMost(t, n, 40)
	})
	t.Run("come back by the resume token", func(t *testing.T) {
		address := newAddress()
		c := a.dial(address)
		token := (&message{Args: c.request("nickname", "Mallory B")}).object(1)["token"]
		n := c.sent()
		for range 5 {
			_ = c.conn.Close()
			c = a.dial(address)
			if reply := c.request("nickname", "Mallory B", map[string]any{"token": token}); reply[0] != false {
				t.Fatalf("resume = %v, want the name back", reply)
			}
			n += c.sent()
		}
		atMost(t, n, 40)
	})
	t.Run("many connections of one address", func(t *testing.T) {
		a, n := newArena(t, "MESSAGE_RATE_PER_ADDRESS=1"), 0
		for i := range 40 {
			c := a.join("2001:db8::"+fmt.Sprint(i), fmt.Sprint("Mallory C", i))
			for range 10 {
				if c.reply("user message", "flood")["ok"] == true {
					n++
				}
			}
			_ = c.conn.Close()
		}
		atMost(t, n, 100) // where 40 guests could say 400
	})
	a.checkOthers()
}

// However many users an address sends for, what they say counts by its size: everybody in a room is sent all of it.
func TestLargestMessagesOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	a, address, n := newArena(t), newAddress(), 0
	largest := combining(16_000)
	started := time.Now()
	for i := range 20 {
		c := a.join(address, fmt.Sprint("Mallory ", i))
		for range 10 {
			if c.reply("user message", largest)["ok"] == true {
				n++
			}
		}
		_ = c.conn.Close()
	}
	// 200 KiB at once, and 100 more each second.
	atMost(t, n, 13+int(time.Since(started).Seconds()*100/16))
	reply := a.join(address, "Somebody else there").reply("user message", "hi")
	if wait, _ := reply["wait"].(float64); reply["ok"] != true && (reply["code"] != "too_fast" || wait > 1000) {
		t.Errorf("a small message of the same address = %v, want it sent, or soon", reply)
	}
	a.checkOthers()
}

// atMost allows for what comes in while the test runs on a slow machine.
func atMost(t *testing.T, n, most int) {
	t.Helper()
	if n > most {
		t.Errorf("%d messages were sent, want at most %d", n, most)
	}
}

// Socket.IO clients can leave the namespace and join it on the same connection.
func TestMessageRateSurvivesJoiningTheNamespaceAgain(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	ann := a.join(newAddress(), "Ann")
	header := http.Header{"X-Forwarded-For": {newAddress()}}
	url := "ws://" + a.Address + "/socket.io/?EIO=4&transport=websocket"
	conn, _, err := websocket.DefaultDialer.Dial(url, header)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		for i := range 200 {
			for _, packet := range []string{"40", fmt.Sprintf(`421["nickname","M%d"]`, i),
				`422["user message","a"]`, `422["user message","b"]`, `422["user message","c"]`, "41"} {
				if conn.WriteMessage(websocket.TextMessage, []byte(packet)) != nil {
					break // closed
				}
			}
		}
	}()
	if code := (&client{t: t, conn: conn}).closeCode(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with code %d, want %d", code, websocket.ClosePolicyViolation)
	}
	sent := 0
	ann.lastAck++
	ann.write("who", ann.lastAck, nil)
	ann.await("the end", func(m *message) bool {
		if m.Event == "user message" {
			sent++
		}
		return m.Ack == ann.lastAck
	})
	atMost(t, sent, 40)
	a.checkOthers()
}

// Frames that are refused, or have no effect, end the connection that sends them as fast as it can.
func TestRefusedFramesCloseTheConnection(t *testing.T) {
	t.Parallel()
	a := newArena(t)
	for name, frame := range map[string]string{
		"requests above the rate": `{"event":"who","args":[]}`,
		"unknown event":           `{"event":"x","args":[]}`,
		"over-long text":          `{"event":"user message","args":["` + combining(30_000) + `"]}`,
		"message without a name":  `{"event":"user message","args":["hi"]}`,
		"typing":                  `{"event":"typing","args":[]}`,
		"acknowledgements":        `{"ack":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := a.dial(newAddress())
			go func() {
				for c.conn.WriteMessage(websocket.TextMessage, []byte(frame)) == nil {
				}
			}()
			if code := c.closeCode(); code != websocket.ClosePolicyViolation {
				t.Errorf("closed with code %d, want %d", code, websocket.ClosePolicyViolation)
			}
		})
	}
	a.checkOthers()
}

// Connecting has a rate by address, and so do plain requests. An office behind one address does not meet it.
func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	a := newArena(t, "CONNECT_RATE_PER_ADDRESS=2", "HTTP_RATE_PER_ADDRESS=10")
	address, refused := newAddress(), 0
	for range 60 {
		conn, response, err := a.tryDial(address)
		if err == nil {
			_ = conn.Close()
		} else if response != nil && response.StatusCode == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("%d of 60 connections were refused with 429, want those above the burst of 40", refused)
	}
	a.checkOthers()
}

// The server answers over time what an address may request at once: twice the rate in a second, behind a first hundred.
func TestManyRequestsOfOneAddressAreSpreadOverTime(t *testing.T) {
	t.Parallel()
	a := newArena(t, "HTTP_RATE_PER_ADDRESS=50")
	conn, err := net.Dial("tcp", a.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	const count = 150
	started := time.Now()
	go func() {
		request := "GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: " + newAddress() + "\r\n\r\n"
		_, _ = io.WriteString(conn, strings.Repeat(request, count))
	}()
	for reader, n := bufio.NewReader(conn), 0; n < count; n++ {
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode == http.StatusTooManyRequests {
			t.Fatalf("answer %d = %v, %v", n, response, err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
	}
	if took := time.Since(started); took < 450*time.Millisecond {
		t.Errorf("%d requests took %v, want 50 of them spread over half a second", count, took)
	}
	a.checkOthers()
}

// A visitor that shares an address with the platform's probes does not make the worker seem dead.
func TestProbesAreAnsweredWhereTheirAddressIsRefused(t *testing.T) {
	t.Parallel()
	a := newArena(t, "HTTP_RATE_PER_ADDRESS=1")
	address := newAddress()
	get := func(path string) int {
		request, _ := http.NewRequest("GET", a.URL+path, nil)
		request.Header.Set("X-Forwarded-For", address)
		response, err := pollClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		return response.StatusCode
	}
	for n := 0; get("/") != http.StatusTooManyRequests; n++ {
		if n > 100 {
			t.Fatal("requests of one address are not refused")
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status := get(path); status != http.StatusOK {
			t.Errorf("%s = %d, want 200", path, status)
		}
	}
}

// Bytes have a rate by address: pings, and messages that say nothing.
func TestBytesOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	a := newArena(t, "BYTE_RATE_PER_ADDRESS=10000")
	c := a.dial(newAddress())
	go func() {
		large := []byte(`{"event":"user message","args":["` + combining(90_000) + `"]}`)
		for c.conn.WriteMessage(websocket.TextMessage, large) == nil {
		}
	}()
	if code := c.closeCode(); code != websocket.ClosePolicyViolation {
		t.Errorf("closed with code %d, want %d", code, websocket.ClosePolicyViolation)
	}
	a.checkOthers()
}

// A proxy that nobody told the worker of makes all clients look like one. They are not limited as one.
func TestUnknownProxyTurnsOffAllowancesByAddress(t *testing.T) {
	t.Parallel()
	a := newArena(t, "TRUSTED_PROXIES=", "CONNECT_RATE_PER_ADDRESS=0.1")
	for range 10 {
		_ = a.dial(newAddress()).conn.Close()
	}
	response, err := http.Get(a.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || !contains(string(body), "TRUSTED_PROXIES") {
		t.Errorf("/readyz = %s %q, want ready, and that clients are not limited by address", response.Status, body)
	}
	// What comes without a proxy still counts.
	refused := false
	for range 10 {
		conn, err := net.Dial("tcp", a.Address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n"+
			"Connection: close\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		refused = refused || contains(string(answer), " 429 ")
		_ = conn.Close()
	}
	if !refused {
		t.Error("ten connections without a proxy were let in, want them limited")
	}
}

func contains(text, part string) bool { return strings.Contains(text, part) }
