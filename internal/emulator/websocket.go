package emulator

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// upgrader leaves the check of the origin to the allow-list of all requests. The Go SDK's tests request the subprotocol
// amqp, the JavaScript SDK requests AMQPWSB10.
var upgrader = websocket.Upgrader{
	Subprotocols:    []string{"amqp", "AMQPWSB10"},
	CheckOrigin:     func(*http.Request) bool { return true },
	ReadBufferSize:  4096,
	WriteBufferSize: 4096,
}

// webSocketPath is the service's route for AMQP over WebSocket.
const webSocketPath = "/$servicebus/websocket"

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Debug("WebSocket upgrade", "err", err)
		return
	}
	s.serveAMQP(&webSocketConn{Conn: ws})
}

// webSocketConn carries AMQP's byte stream in binary WebSocket messages. Message boundaries have no meaning ("AMQP
// WebSocket Binding 1.0").
type webSocketConn struct {
	*websocket.Conn
	in io.Reader
}

func (c *webSocketConn) Read(b []byte) (int, error) {
	for {
		if c.in == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway,
					websocket.CloseNoStatusReceived, websocket.CloseAbnormalClosure) {
					err = io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("received a WebSocket message that is not binary")
			}
			c.in = r
		}
		n, err := c.in.Read(b)
		if err == io.EOF {
			c.in, err = nil, nil
			if n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (c *webSocketConn) Write(b []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

// CloseWrite begins the closing handshake. Without it, clients take the end of every connection for a failure.
func (c *webSocketConn) CloseWrite() error {
	return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""),
		time.Now().Add(closeTimeout))
}

func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
