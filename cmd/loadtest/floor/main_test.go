//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// client is one connection to the server under test.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

func dial(t *testing.T, url string) client {
	t.Helper()
	url = strings.Replace(url, "http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
	ws, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	if err := ws.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client{t, ws}
}

func (c client) send(packet string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
		c.t.Fatal(err)
	}
}

// want reads one packet, which must begin with prefix.
func (c client) want(prefix string) {
	c.t.Helper()
	_, packet, err := c.ws.ReadMessage()
	if err != nil || !strings.HasPrefix(string(packet), prefix) {
		c.t.Fatalf("received %q, %v; want %q...", packet, err, prefix)
	}
}

func TestEveryWayOfWritingDeliversInOrder(t *testing.T) {
	for _, variant := range []struct{ batch, raw bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("%+v", variant), func(t *testing.T) {
			s := &server{batch: variant.batch, raw: variant.raw, pings: 25 * time.Second}
			web := httptest.NewServer(http.HandlerFunc(s.upgrade))
			defer web.Close()
			ann, bob := dial(t, web.URL), dial(t, web.URL)
			for _, c := range []client{ann, bob} {
				c.want("0{")
				c.send("40")
				c.want("40{")
			}
			ann.send(`421["nickname","Ann"]`)
			ann.want("431[false]")
			for _, size := range []int{1, 200, 70_000} {
				text := strings.Repeat("x", size)
				for range 20 {
					ann.send(`427["user message","` + text + `"]`)
				}
				for range 20 {
					bob.want(`42["user message","Ann","` + text + `"]`)
					ann.want("437[false]") // but not the message itself
				}
			}
			ann.ws.Close()
			bob.ws.Close()
			s.readers.Wait()
			if len(s.conns) != 0 {
				t.Errorf("%d connections left, want none", len(s.conns))
			}
		})
	}
}
