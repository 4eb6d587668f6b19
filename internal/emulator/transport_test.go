package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/gorilla/websocket"

	codec "chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/emulatortest"
)

// netConn adapts a WebSocket to the net.Conn that the SDK expects.
type netConn struct {
	*websocket.Conn
	rest []byte
}

func (c *netConn) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		_, message, err := c.ReadMessage()
		if err != nil {
			return 0, err
		}
		c.rest = message
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *netConn) Write(b []byte) (int, error) {
	return len(b), c.WriteMessage(websocket.BinaryMessage, b)
}

func (c *netConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// TestTLSServesAMQPWebSocketAndManagement uses one port for all three. The SDK is configured with
// the certificate authority only.
func TestTLSServesAMQPWebSocketAndManagement(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t, emulatortest.WithTLS())
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.CA()) {
		t.Fatalf("the authority does not parse: %s", s.CA())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	a, err := admin.NewClientFromConnectionString(s.TLSConnectionString(), &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateQueue(testContext(t), "queue", nil); err != nil {
		t.Fatalf("management over TLS: %v", err)
	}
	c := connect(t, s.TLSConnectionString(), &azservicebus.ClientOptions{TLSConfig: &tls.Config{RootCAs: roots}})
	c.send("queue", text("over TLS"))
	web := connect(t, s.TLSConnectionString(), &azservicebus.ClientOptions{
		NewWebSocketConn: func(ctx context.Context, args azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			dialer := websocket.Dialer{Subprotocols: []string{"amqp"}, TLSClientConfig: &tls.Config{RootCAs: roots}}
			ws, _, err := dialer.DialContext(ctx, args.Host, nil)
			if err != nil {
				return nil, err
			}
			if ws.Subprotocol() != "amqp" {
				t.Errorf("subprotocol %q, want amqp", ws.Subprotocol())
			}
			return &netConn{Conn: ws}, nil
		},
	})
	web.want("over WebSocket", web.receiverOf("queue", nil), "over TLS")
}

// TestWebSocketAcceptsPathsAndSubprotocolsOfSDKs connects to the AMQP port like the JavaScript SDK, and
// like the .NET SDK, whose path ends in a slash.
func TestWebSocketAcceptsPathsAndSubprotocolsOfSDKs(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	for _, path := range []string{"/$servicebus/websocket", "/$servicebus/websocket/"} {
		dialer := websocket.Dialer{Subprotocols: []string{"AMQPWSB10"}}
		ws, _, err := dialer.DialContext(testContext(t), "ws://"+s.AMQPAddress()+path, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		defer ws.Close()
		if ws.Subprotocol() != "AMQPWSB10" {
			t.Errorf("%s: subprotocol %q, want AMQPWSB10", path, ws.Subprotocol())
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte("AMQP\x03\x01\x00\x00")); err != nil {
			t.Fatal(err)
		}
		_, message, err := ws.ReadMessage()
		if err != nil || len(message) < 8 || string(message[:5]) != "AMQP\x03" {
			t.Errorf("%s: the SASL header is answered %q, %v", path, message, err)
		}
	}
	// the end of the AMQP connection closes the WebSocket with a handshake
	ws, _, err := websocket.DefaultDialer.DialContext(testContext(t),
		"ws://"+s.AMQPAddress()+"/$servicebus/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	frames := codec.AppendProtocolHeader(nil, codec.ProtocolAMQP)
	frames = codec.AppendFrame(frames, 0, &codec.Open{ContainerID: "test", MaxFrameSize: 512})
	if err := ws.WriteMessage(websocket.BinaryMessage, codec.AppendFrame(frames, 0, &codec.Close{})); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = ws.ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the connection ended with %v, want a normal closure", err)
	}
	ws, _, err = websocket.DefaultDialer.DialContext(testContext(t),
		"ws://"+s.AMQPAddress()+"/$servicebus/websocket/x", nil)
	if err == nil {
		ws.Close()
		t.Error("another path is upgraded")
	}
}

func TestShutdownClosesConnectionsWithReason(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	p := authorized(t, s)
	s.Queue("queue")
	receiver := p.receiver("queue", nil)
	if err := s.Shutdown(testContext(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	_, err := receiver.Receive(testContext(t), nil)
	wantCondition(t, "after a shutdown", err, "amqp:connection:forced")
	if _, err := net.Dial("tcp", s.AMQPAddress()); err == nil {
		t.Error("the port is still open after a shutdown")
	}
}

// TestShutdownEndsWithItsContext has a connection that can't close because it is silent.
func TestShutdownEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := emulatortest.Start(t)
	authorized(t, s)
	s.GoSilent(0)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
	if n := s.Connections(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
