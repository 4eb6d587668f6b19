package socketio_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"chatapp/internal/engineio"
	"chatapp/internal/socketio"
	"chatapp/internal/socketio/socketiotest"
	"chatapp/internal/waittest"
)

// newEcho returns the application of the official protocol suite.
func newEcho(o socketio.Options) *socketio.Server {
	server := socketio.NewServer(o)
	for _, name := range []string{"/", "custom"} {
		server.Of(name).OnConnect(func(s *socketio.Socket) { _ = s.Emit("auth", json.RawMessage(s.Auth())) })
	}
	server.Of("/").On("message", func(s *socketio.Socket, e *socketio.Event) {
		_ = s.Emit("message-back",
			e.Values()...)
	})
	server.Of("/").On("message-with-ack", func(s *socketio.Socket, e *socketio.Event) { _ = e.Ack(e.Values()...) })
	return server
}

func TestConnect(t *testing.T) {
	host := socketiotest.Serve(t, newEcho(socketio.Options{}), engineio.Options{})
	t.Run("main namespace", func(t *testing.T) {
		c := host.Dial("")
		c.Send(`0`)
		c.Want("the client is let in", `0{"sid":"*"}`)
		c.Want("its payload was empty", `2["auth",{}]`)
	})
	t.Run("with a payload", func(t *testing.T) {
		c := host.Dial("")
		c.Send(`0{"token":"123"}`)
		c.Want("the client is let in", `0{"sid":"*"}`)
		c.Want("its payload arrives as it was", `2["auth",{"token":"123"}]`)
	})
	t.Run("custom namespace", func(t *testing.T) {
		c := host.Dial("")
		c.Send(`0/custom,{"token":"abc"}`)
		c.Want("the client is let in", `0/custom,{"sid":"*"}`)
		c.Want("its payload arrives as it was", `2/custom,["auth",{"token":"abc"}]`)
	})
	t.Run("unknown namespace", func(t *testing.T) {
		c := host.Dial("")
		c.Send(`0/random`)
		c.Want("there is no such namespace", `4/random,{"message":"Invalid namespace"}`)
		c.Connect("/", "")
	})
	t.Run("several namespaces", func(t *testing.T) {
		c := host.Dial("")
		main := c.Connect("/", "")
		c.Want("joined", `2["auth",{}]`)
		custom := c.Connect("/custom", "")
		c.Want("joined", `2/custom,["auth",{}]`)
		if main == custom {
			t.Errorf("both sockets have the id %q", main)
		}
		c.Send(`1/custom,`)
		c.Send(`2["message","still here"]`)
		c.Want("the main namespace goes on", `2["message-back","still here"]`)
		c.Connect("/custom", "")
	})
	t.Run("after leaving the last one", func(t *testing.T) {
		c := host.Dial("")
		c.Connect("/", "")
		c.Want("joined", `2["auth",{}]`)
		c.Send(`1`)
		c.Connect("/", "")
	})
}

// TestPacketOutOfPlaceCloses sends packets that are well-formed and out of place. The reference
// implementation closes the connection for each of them.
func TestPacketOutOfPlaceCloses(t *testing.T) {
	host := socketiotest.Serve(t, newEcho(socketio.Options{}), engineio.Options{})
	for _, row := range []struct{ name, packet string }{
		{"joining twice", `0`},
		{"event of a namespace not joined", `2/custom,["message"]`},
		{"ack of a namespace not joined", `3/custom,1[]`},
		{"leaving a namespace not joined", `1/custom,`},
		{"event of an unknown namespace", `2/random,["message"]`},
		{"a server's packet", `4{"message":"no"}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, other := host.Dial(""), host.Dial("")
			c.Connect("/", "")
			c.Want("joined", `2["auth",{}]`)
			other.Connect("/", "")
			other.Want("joined", `2["auth",{}]`)
			c.Send(row.packet)
			c.WantClose("the packet is out of place", 1008)
			other.Send(`2["message"]`)
			other.Want("other clients are unaffected", `2["message-back"]`)
		})
	}
	t.Run("event before joining", func(t *testing.T) {
		c := host.Dial("")
		c.Send(`2["message"]`)
		c.WantClose("no namespace is joined", 1008)
	})
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newEcho(socketio.Options{ConnectTimeout: 45 * time.Second})
		host := socketiotest.Pipe(t, server, engineio.Options{})
		silent, refused, raw := host.Dial(""), host.Dial(""), host.DialRaw("connect")
		left, joined := host.Dial(""), host.Dial("")
		refused.Send(`0/random`)
		refused.Want("refused", `4/random,*`)
		left.Connect("/", "")
		left.Want("joined", `2["auth",{}]`)
		left.Send(`1`)
		joined.Connect("/", "")
		joined.Want("joined", `2["auth",{}]`)
		silent.WantNothing("there is time yet", 44*time.Second)
		silent.WantClose("it joined no namespace", 1000)
		refused.WantClose("it joined no namespace", 1000)
		raw.WantClose("it joined no namespace", 1008)
		left.WantNothing("it was in a namespace before", time.Hour)
		joined.WantNothing("it is in a namespace", time.Hour)
		if n := server.Stats().Clients; n != 2 {
			t.Errorf("%d clients are left, want 2", n)
		}
	})
}

func TestServerDisconnect(t *testing.T) {
	server := newEcho(socketio.Options{})
	reasons := make(chan error, 4) // more than can come
	server.Of("/").OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
	server.Of("/").On("kick me", func(s *socketio.Socket, _ *socketio.Event) {
		s.Disconnect()
		s.Disconnect()
		if s.Connected() {
			t.Error("the socket is connected after Disconnect")
		}
		if err := s.Emit("news"); !errors.Is(err, socketio.ErrDisconnected) {
			t.Errorf("Emit on a disconnected socket = %v, want %v", err, socketio.ErrDisconnected)
		}
	})
	server.Of("/").On("late", func(*socketio.Socket, *socketio.Event) {
		t.Error("an event after Disconnect is handled")
	})
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.Dial("")
	c.Connect("/", "")
	c.Want("joined", `2["auth",{}]`)
	c.Send(`2["kick me"]`)
	c.Send(`2["late"]`)
	c.Send(`2["message","too late, but sent before the client could know"]`)
	c.Want("the client gets DISCONNECT, so that it does not come back", `1`)
	c.Connect("/custom", "")
	c.Want("the connection serves other namespaces", `2/custom,["auth",{}]`)
	c.Connect("/", "")
	c.Want("it may join again", `2["auth",{}]`)
	if err := <-reasons; !errors.Is(err, socketio.ErrServerDisconnect) {
		t.Errorf("reason %v, want %v", err, socketio.ErrServerDisconnect)
	}
}

// TestDisconnectDuringOnConnect ends a socket on another goroutine while OnConnect's functions run, which
// is when the namespace holds it already.
func TestDisconnectDuringOnConnect(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	ns := server.Of("/")
	calls := make(chan string, 4) // more than can come
	ns.OnConnect(func(s *socketio.Socket) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, s := range ns.All().Sockets() {
				s.Disconnect()
			}
		}()
		<-done
		if s.Connected() {
			t.Error("the socket is connected after Disconnect")
		}
	})
	ns.OnConnect(func(*socketio.Socket) { calls <- "connect" })
	ns.OnDisconnect(func(_ *socketio.Socket, reason error) { calls <- reason.Error() })
	host := socketiotest.Serve(t, server, engineio.Options{})
	c := host.Dial("")
	c.Connect("/", "")
	c.Want("the client is told", `1`)
	if first, second := <-calls, <-calls; first != "connect" || second != socketio.ErrServerDisconnect.Error() {
		t.Errorf("the calls are %q, %q; OnDisconnect belongs after OnConnect", first, second)
	}
}

// TestDisconnectReasons ends a socket in every way, and checks whether its client may recover it.
func TestDisconnectReasons(t *testing.T) {
	for _, row := range []struct {
		name string
		end  func(*socketiotest.Host, *socketiotest.Client)
		want error
		lost bool
	}{
		{"client leaves", func(_ *socketiotest.Host, c *socketiotest.Client) { c.Send(`1`) },
			socketio.ErrClientDisconnect, false},
		{"connection breaks", func(_ *socketiotest.Host, c *socketiotest.Client) { c.Close() },
			engineio.ErrTransportClosed, true},
		{"malformed packet", func(_ *socketiotest.Host, c *socketiotest.Client) { c.Send(`2{}`) }, nil, false},
		{"server shuts down", func(h *socketiotest.Host, c *socketiotest.Client) {
			go func() { _ = h.Engine.Shutdown(t.Context()) }() // which waits until the client closes, too
			c.WantClose("the server shuts down", websocket.CloseAbnormalClosure)
			c.Close()
		}, engineio.ErrServerClosed, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := newEcho(socketio.Options{})
			reasons := make(chan error, 1) // so that the handler returns
			server.Of("/").OnDisconnect(func(_ *socketio.Socket, err error) { reasons <- err })
			host := socketiotest.Serve(t, server, engineio.Options{})
			c := host.Dial("")
			c.Connect("/", "")
			row.end(host, c)
			select {
			case err := <-reasons:
				var protocol *engineio.ProtocolError
				if row.want == nil && !errors.As(err, &protocol) || row.want != nil && !errors.Is(err, row.want) {
					t.Errorf("reason %v, want %v", err, row.want)
				}
				if lost := socketio.Lost(err); lost != row.lost {
					t.Errorf("Lost(%v) = %v, want %v", err, lost, row.lost)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("OnDisconnect is not called")
			}
		})
	}
}

func TestNamespaceLimit(t *testing.T) {
	server := newEcho(socketio.Options{MaxNamespaces: 2})
	server.Of("third")
	c := socketiotest.Serve(t, server, engineio.Options{}).Dial("")
	c.Connect("/", "")
	c.Want("joined", `2["auth",{}]`)
	c.Connect("/custom", "")
	c.Want("joined", `2/custom,["auth",{}]`)
	c.Send(`0/third`)
	c.Want("two is the limit", `4/third,{"message":"Too many namespaces"}`)
	c.Send(`1/custom`)
	third := c.Connect("/third", "")
	server.Of("third").Socket(third).Disconnect()
	c.Want("the server takes it out", `1/third,`)
	c.Connect("/custom", "")
	c.Want("which makes room as well", `2/custom,["auth",{}]`)
}

func TestHandshake(t *testing.T) {
	server := socketio.NewServer(socketio.Options{})
	checked := make(chan struct{})
	server.Of("/").OnConnect(func(s *socketio.Socket) {
		defer close(checked)
		h := s.Handshake()
		if h.RemoteAddr != "127.0.0.1" || h.Query().Get("room") != "a b" {
			t.Errorf("handshake is %+v with query %v, want address 127.0.0.1 and room a b", h, h.Query())
		}
		if s.PrivateID() != "" || s.Recovered() || s.Offset() != "" {
			t.Errorf("pid %q, recovered %v, offset %q, want nothing to recover", s.PrivateID(), s.Recovered(),
				s.Offset())
		}
	})
	c := socketiotest.Serve(t, server, engineio.Options{}).Dial("room=a+b")
	sid := c.Connect("/", `{"token":1}`)
	<-checked
	socket := server.Of("/").Socket(sid)
	if socket == nil || socket.ID() != sid {
		t.Fatalf("Socket(%q) = %v, want the socket", sid, socket)
	}
	waittest.Until(t, "the payload is released after OnConnect", func() bool { return socket.Auth() == nil })
	if socket := server.Of("/").Socket("nobody"); socket != nil {
		t.Errorf("Socket of an unknown id = %v, want nil", socket)
	}
}

// TestProtocol3 talks to a client of Socket.IO 2, whose protocol lacks the CONNECT of the main
// namespace and the payloads of CONNECT packets: Socket.IO v5, "Difference between v5 and v4".
func TestProtocol3(t *testing.T) {
	server := newEcho(socketio.Options{})
	host := socketiotest.Serve(t, server, engineio.Options{Protocol3: true})
	c := host.DialProtocol3("")
	c.Want("let in without asking", `0`)
	c.Want("joined", `2["auth",{}]`)
	c.Send(`2["message","hi"]`)
	c.Want("events are the same", `2["message-back","hi"]`)
	c.Send(`0/custom?token=abc,`)
	c.Want("let in, without a payload", `0/custom,`)
	c.Want("the query stands for a payload", `2/custom,["auth",{"token":"abc"}]`)
	c.Send(`1/custom`)
	token := strings.Repeat("x", 1000)
	c.Send(`0/custom?token=` + token + `,`)
	c.Want("let in with a long one", `0/custom,`)
	c.Want("which is no part of the name", `2/custom,["auth",{"token":"`+token+`"}]`)
	c.Send(`0/random`)
	c.Want("the message alone", `4/random,"Invalid namespace"`)
	c.Send(`51-["message",{"_placeholder":true,"num":0}]`)
	c.SendBinary([]byte{1, 2, 3})
	c.Want("binary too", `51-["message-back",{"_placeholder":true,"num":0}]`)
	c.WantBinary("binary too", []byte{1, 2, 3})
	c.Send(`27["message-with-ack",1]`)
	c.Want("acknowledgements too", `37[1]`)
}
