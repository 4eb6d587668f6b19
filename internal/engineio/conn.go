package engineio

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// conn is a WebSocket. It stands between gorilla/websocket and the network, so that the handshake's
// response and the control frames, which gorilla writes of its own accord, go through the session's
// queue as everything else: there they can't cut another frame in two, and may leave in one write
// with it. Until a session owns it, writes go straight through.
type conn struct {
	net.Conn
	ws      *websocket.Conn // nil while it opens
	rawConn syscall.RawConn // nil where writes must block; see tryWrite
	input   input

	// Set before the reader starts, or by it.
	session   *Session
	handshake *[]byte // gorilla's response, kept for the first write
}

// unusedWriteBuffer sizes gorilla's write buffer, which is never made: messages don't go through it.
const unusedWriteBuffer = 256

// upgrader has the defaults except for memory: it never takes a write buffer from the pool, as
// nothing but control frames is written through gorilla. Origins are checked before.
var upgrader = websocket.Upgrader{
	WriteBufferSize: unusedWriteBuffer,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

// acceptWebSocket makes a WebSocket of a request. On an error it has answered the request. It does
// not write the response but keeps it for the first write, see takeHandshake.
func (s *Server) acceptWebSocket(w http.ResponseWriter, r *http.Request) (*conn, error) {
	c := &conn{}
	c.input.base64Only = query(r).Has("b64")
	ws, err := upgrader.Upgrade(&hijacker{ResponseWriter: w, conn: c}, r, subprotocol(r))
	if err != nil {
		return nil, err
	}
	c.ws = ws
	c.returnBuffer()
	ws.SetReadLimit(int64(s.options.MaxMessageSize))
	ws.SetPingHandler(c.answerPing)
	ws.SetPongHandler(c.takePong)
	c.rawConn = rawConn(c.Conn)
	return c, nil
}

// subprotocol returns the response header that accepts the first subprotocol that a client offers, as the reference
// implementation does: a client that gets none of those it has offered fails, RFC 6455 section 4.1. It returns nil
// where none is offered.
func subprotocol(r *http.Request) http.Header {
	offered := websocket.Subprotocols(r)
	if len(offered) == 0 || strings.ContainsFunc(offered[0], notInToken) {
		return nil
	}
	return http.Header{"Sec-Websocket-Protocol": offered[:1]}
}

// notInToken reports whether a character can't be part of a token, RFC 9110 section 5.6.2.
func notInToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}

// hijacker gives gorilla our conn in place of the network's, and our read buffer.
type hijacker struct {
	http.ResponseWriter
	conn *conn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	netConn, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn.Conn = netConn
	if brw.Reader.Buffered() == 0 { // otherwise gorilla refuses: a client must not send before the handshake is done
		h.conn.borrowBuffer()
		brw.Reader = &h.conn.input.buffer
	}
	return h.conn, brw, nil
}

// Write is called by gorilla alone. It keeps none of the bytes, which gorilla uses again. gorilla's
// close frames are dropped: the session's transition to a closing state queues one.
func (c *conn) Write(b []byte) (int, error) {
	switch {
	case c.ws == nil:
		response := append([]byte(nil), b...)
		c.handshake = &response
	case c.session == nil:
		return c.Conn.Write(b)
	case len(b) > 0 && b[0] == framePong:
		c.session.sendPong(c, b)
	}
	return len(b), nil
}

// SetWriteDeadline ignores gorilla: its writes are queued, and the writer sets the deadlines.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline ignores gorilla, which only clears deadlines of net/http's: hijacking has done that.
func (c *conn) SetDeadline(time.Time) error { return nil }

// takeHandshake returns gorilla's response the first time, and nil after that.
func (c *conn) takeHandshake() []byte {
	if c.handshake == nil {
		return nil
	}
	response := *c.handshake
	c.handshake = nil
	return response
}

// abort closes the connection without waiting: TLS sends no alert.
func (c *conn) abort() {
	if layer, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = layer.NetConn().Close()
		return
	}
	_ = c.Conn.Close()
}

// closeWrite sends TCP's FIN, or TLS's alert: nothing more comes. Other connections have no such half, and are closed.
func (c *conn) closeWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = c.Conn.Close()
}

// What a client goes on to send after its session has ended is read as far as it may have been under way,
// and then slowly: the server does not work for a client that it has cut for sending too much, nor does it
// let the client connect again at once.
const (
	maxLate   = 256 << 10
	latePause = 50 * time.Millisecond
)

// awaitEOF reads and discards until the peer closes or the deadline comes. Closing a TCP connection
// with unread bytes resets it, and a reset may take our close frame back from a peer that has not
// read it yet.
func (c *conn) awaitEOF(deadline time.Time) {
	_ = c.Conn.SetReadDeadline(deadline)
	_, err := io.CopyN(io.Discard, c.Conn, maxLate)
	var few [1 << 10]byte
	for err == nil {
		time.Sleep(latePause)
		_, err = c.Conn.Read(few[:])
	}
}

// messageBuffers are lent for the time of one message, so that an idle session holds none.
var messageBuffers = sync.Pool{New: func() any { return &messageBuffer{b: make([]byte, 0, 1024)} }}

const maxPooledMessage = 64 << 10

type messageBuffer struct{ b []byte }

func (m *messageBuffer) release() {
	if cap(m.b) <= maxPooledMessage {
		messageBuffers.Put(m)
	}
}

// read reads one message into a lent buffer, which the caller releases. gorilla bounds its size.
func (c *conn) read() (message *messageBuffer, binary bool, err error) {
	c.borrowBuffer()
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, false, readError(err)
	}
	began := false
	defer func() {
		if began {
			c.session.setReadDeadline(c, time.Time{})
		}
	}()
	m := messageBuffers.Get().(*messageBuffer)
	m.b = m.b[:0]
	for {
		if len(m.b) == cap(m.b) {
			m.b = append(m.b, 0)[:len(m.b)]
		}
		if !began && c.session != nil && !c.hasInput() {
			began = true // the rest is under way, and does not stay there
			c.session.setReadDeadline(c, time.Now().Add(c.session.server.options.RequestTimeout))
		}
		n, err := r.Read(m.b[len(m.b):cap(m.b)])
		m.b = m.b[:len(m.b)+n]
		if chargeErr := c.charge(n); chargeErr != nil {
			m.release()
			return nil, false, chargeErr
		}
		switch {
		case err == io.EOF:
			return m, kind == websocket.BinaryMessage, nil
		case err != nil:
			m.release()
			return nil, false, readError(err)
		}
	}
}

var errMessageTooBig = protocolError(closeTooBig, "message too big")

// readError distinguishes a client's mistake from the end of the connection.
func readError(err error) error {
	var closed *websocket.CloseError
	var network net.Error
	var mistake *ProtocolError
	switch {
	case errors.As(err, &mistake): // of a handler of ours
		return mistake
	case errors.Is(err, websocket.ErrReadLimit):
		return errMessageTooBig
	case errors.As(err, &closed):
		return &transportError{closed}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return &transportError{err}
	}
	return &ProtocolError{Code: closeProtocolError, Reason: strings.TrimPrefix(err.Error(), "websocket: ")}
}

// transportError is ErrTransportClosed together with the network's error or the client's close
// frame.
type transportError struct{ err error }

func (e *transportError) Error() string { return ErrTransportClosed.Error() + ": " + e.err.Error() }

func (e *transportError) Unwrap() []error {
	// gorilla gives 1006, which never travels, to a connection that ends within a frame.
	if websocket.IsUnexpectedCloseError(e.err, websocket.CloseAbnormalClosure) {
		return []error{ErrTransportClosed, ErrClientClosed, e.err}
	}
	return []error{ErrTransportClosed, e.err}
}
