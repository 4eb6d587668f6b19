package emulator

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// sniffTimeout is how long a connection may say nothing at all.
const sniffTimeout = 20 * time.Second

// sniff reads the first bytes of a connection and says whether they are AMQP's. The connection it returns gives those
// bytes again.
func sniff(nc net.Conn) (net.Conn, bool, error) {
	var first [4]byte
	if err := nc.SetReadDeadline(time.Now().Add(sniffTimeout)); err != nil {
		return nc, false, err
	}
	if _, err := io.ReadFull(nc, first[:]); err != nil {
		return nc, false, err
	}
	if err := nc.SetReadDeadline(time.Time{}); err != nil {
		return nc, false, err
	}
	return &peekedConn{Conn: nc, first: first[:]}, string(first[:]) == "AMQP", nil
}

// peekedConn is a connection of which the first bytes have been read already.
type peekedConn struct {
	net.Conn
	first []byte
}

func (p *peekedConn) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite closes the writing half, where there are halves.
func (p *peekedConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// upgrader takes WebSockets from anywhere, as the service does: a client has to prove itself to $cbs in any case. Go's
// tests ask for the subprotocol amqp, the JavaScript SDK for AMQPWSB10.
var upgrader = websocket.Upgrader{
	Subprotocols:    []string{"amqp", "AMQPWSB10"},
	CheckOrigin:     func(*http.Request) bool { return true },
	ReadBufferSize:  4096,
	WriteBufferSize: 4096,
}

// webSocketPath is where the service takes AMQP over WebSocket.
const webSocketPath = "/$servicebus/websocket"

func (s *Server) newWeb() *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc(webSocketPath, s.serveWebSocket)
	mux.Handle(faultsPath, s.faultsDoor())
	mux.Handle(faultsPath+"/", s.faultsDoor())
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		handler := s.handler
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	})
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: sniffTimeout, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// serveHTTP serves one connection that does not speak AMQP, and returns when it is over.
func (s *Server) serveHTTP(nc net.Conn) {
	one := &oneConn{conn: nc, over: make(chan struct{})}
	s.mu.Lock()
	web := s.web
	s.mu.Unlock()
	_ = web.Serve(one) // the error is that of the second Accept, which waits for the connection's end
	_ = nc.Close()
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn net.Conn
	over chan struct{}
	once sync.Once
	took bool
}

func (o *oneConn) Accept() (net.Conn, error) {
	if !o.took {
		o.took = true
		return &watchedConn{Conn: o.conn, listener: o}, nil
	}
	<-o.over
	return nil, net.ErrClosed
}

func (o *oneConn) Close() error {
	o.once.Do(func() { close(o.over) })
	return nil
}

func (o *oneConn) Addr() net.Addr { return o.conn.LocalAddr() }

// watchedConn tells its listener when it is closed.
type watchedConn struct {
	net.Conn
	listener *oneConn
}

func (w *watchedConn) Close() error {
	_ = w.listener.Close()
	return w.Conn.Close()
}

func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Debug("WebSocket upgrade", "err", err)
		return
	}
	s.serveAMQP(&webSocketConn{Conn: ws})
}

// webSocketConn is AMQP's byte stream in binary WebSocket messages, whose borders mean nothing ("AMQP WebSocket
// Binding 1.0").
type webSocketConn struct {
	*websocket.Conn
	in io.Reader
}

func (c *webSocketConn) Read(b []byte) (int, error) {
	for {
		if c.in == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived, websocket.CloseAbnormalClosure) {
					err = io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("a WebSocket message that is not binary")
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

func (c *webSocketConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
