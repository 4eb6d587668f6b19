package engineio

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// unusedWriteBuffer is the size of gorilla's write buffer, which is never made.
const unusedWriteBuffer = 256

// readBuffers are lent to gorilla while something is read. An idle connection has none.
var readBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}

var bursts = sync.Pool{New: func() any { return new(burst) }}

// burst is what was read ahead of gorilla.
type burst struct {
	from, to int // what is not read yet
	b        [burstSize]byte
}

const burstSize = 16<<10 - 16 // with the rest, 16 KiB

func (b *burst) rest() []byte {
	if b == nil {
		return nil
	}
	return b.b[b.from:b.to]
}

// conn is a WebSocket. It stands between gorilla/websocket and the network, so that what gorilla writes of its own accord, the
// handshake's response and control frames, goes the way of everything written: through the session's queue, where it cannot cut
// another frame in two and may leave in one write with it. Until a session owns it, writes go straight through.
type conn struct {
	net.Conn
	ws   *websocket.Conn // nil while it opens
	raw  syscall.RawConn // nil where writes must block; see tryWrite
	form form

	users uint8 // goroutines that may wait for the network; guarded by Server.mu

	// Owned by the reader.
	filled  bool
	buffer  bufio.Reader  // gorilla's; empty while lent is nil
	lent    *bufio.Reader // whose buffer it has
	tryRead func(fd uintptr) bool
	burst   *burst // nil while nothing is read ahead

	// Set before the reader starts, or by it.
	session   *Session
	handshake *[]byte // gorilla's response, kept for the first write to take along
}

// upgrader is all defaults but for memory: no write buffer is ever taken from the pool, as nothing is written through gorilla
// but control frames. Origins are checked before.
var upgrader = websocket.Upgrader{
	WriteBufferSize: unusedWriteBuffer,
	WriteBufferPool: &sync.Pool{},
	CheckOrigin:     func(*http.Request) bool { return true },
}

// upgrade makes a WebSocket of a request; what goes wrong it has answered. The response is not yet written but kept for
// the first write, see takeHandshake.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, protocol Protocol) (*conn, error) {
	c := &conn{}
	ws, err := upgrader.Upgrade(&hijacker{ResponseWriter: w, conn: c}, r, nil)
	if err != nil {
		return nil, err
	}
	c.ws = ws
	c.giveBack()
	ws.SetReadLimit(int64(s.options.MaxMessageSize))
	ws.SetPingHandler(c.answerPing)
	c.raw = rawConn(c.Conn)
	switch protocol {
	case Raw:
		c.form = formRaw
	case V3:
		c.form = formV3
	}
	return c, nil
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
	if brw.Reader.Buffered() == 0 { // else gorilla refuses: nobody may speak before the handshake is done
		h.conn.borrow()
		brw.Reader = &h.conn.buffer
	}
	return h.conn, brw, nil
}

// borrow gives gorilla's reader a buffer.
func (c *conn) borrow() {
	if c.lent == nil {
		c.lent = readBuffers.Get().(*bufio.Reader)
		c.lent.Reset(c)
		c.buffer = *c.lent
	}
}

// giveBack takes the buffer, which is empty, from gorilla's reader.
func (c *conn) giveBack() {
	if c.lent != nil {
		c.buffer = bufio.Reader{}
		c.lent.Reset(nil)
		readBuffers.Put(c.lent)
		c.lent = nil
	}
}

// waiting tells whether something that was read is not handled yet.
func (c *conn) waiting() bool { return c.burst != nil || c.buffer.Buffered() > 0 }

// Read takes from what was read ahead, or from the network what gorilla's buffer holds; but where that was filled to the brim the peer
// sends faster, and the next read takes all there is into a larger, borrowed one that goes back once it is used up.
func (c *conn) Read(p []byte) (int, error) {
	if c.burst != nil {
		return c.takeAhead(p), nil
	}
	if !c.filled || len(p) >= burstSize {
		n, err := c.Conn.Read(p)
		c.filled = n == len(p)
		return n, err
	}
	c.filled = false
	ahead := bursts.Get().(*burst)
	n, err := c.Conn.Read(ahead.b[:])
	if n == 0 {
		bursts.Put(ahead)
		return 0, err
	}
	c.filled = n == burstSize
	ahead.from, ahead.to = 0, n
	c.burst = ahead
	return c.takeAhead(p), nil
}

func (c *conn) takeAhead(p []byte) int {
	n := copy(p, c.burst.rest())
	c.skipAhead(n)
	return n
}

// skipAhead takes n bytes from what was read ahead, and gives its buffer back when that was all.
func (c *conn) skipAhead(n int) {
	if c.burst.from += n; c.burst.from == c.burst.to {
		bursts.Put(c.burst)
		c.burst = nil
	}
}

// Write is called by gorilla alone. It keeps none of the bytes, which gorilla uses again.
func (c *conn) Write(b []byte) (int, error) {
	switch {
	case c.ws == nil:
		response := append([]byte(nil), b...)
		c.handshake = &response
	case c.session == nil:
		return c.Conn.Write(b)
	case len(b) > 0 && b[0] == frameClose:
		c.session.sendClose(c, b)
	default:
		c.session.sendControlFrame(c, b)
	}
	return len(b), nil
}

// SetWriteDeadline ignores gorilla: its writes are queued, and deadlines are the writer's.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline ignores gorilla, which only clears what net/http has set: hijacking has done that.
func (c *conn) SetDeadline(time.Time) error { return nil }

// answerPing answers a client's WebSocket ping.
func (c *conn) answerPing(data string) error {
	_, err := c.Write(appendFrame(make([]byte, 0, maxFrameHeader+len(data)), framePong, data, nil))
	return err
}

// takeHandshake is gorilla's response, the first time, for the first write.
func (c *conn) takeHandshake() []byte {
	if c.handshake == nil {
		return nil
	}
	response := *c.handshake
	c.handshake = nil
	return response
}

// refuse tells a WebSocket that no session owns why, and closes it.
func (c *conn) refuse(timeout time.Duration, reason error) {
	code, text := closeCode(reason)
	deadline := time.Now().Add(timeout)
	_ = c.Conn.SetDeadline(deadline)
	if _, err := c.Conn.Write(appendCloseFrame(c.takeHandshake(), code, text)); err == nil {
		c.closeWrite()
		c.awaitEnd(deadline)
	}
	_ = c.Conn.Close()
}

// end does to the connection what is due when all is written. Through TLS that writes, and may wait for seconds.
func (c *conn) end(e ending) {
	switch e {
	case halfClose:
		c.closeWrite()
	case hangUp:
		_ = c.Conn.Close()
	}
}

// abort closes the connection without waiting: TLS is not said goodbye.
func (c *conn) abort() {
	if layer, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = layer.NetConn().Close()
		return
	}
	_ = c.Conn.Close()
}

// closeWrite tells the peer by TCP that nothing more comes.
func (c *conn) closeWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// awaitEnd reads and forgets until the peer closes or the deadline comes. Closing a TCP connection with unread bytes resets it, and
// a reset may take our close frame back from a peer that has not read it yet.
func (c *conn) awaitEnd(deadline time.Time) {
	_ = c.Conn.SetReadDeadline(deadline)
	_, _ = io.Copy(io.Discard, c.Conn)
}

var errMessageTooBig = protocolError(closeTooBig, "message too big")

// messageBuffers are lent for the time of one message, so that an idle session holds none.
var messageBuffers = sync.Pool{New: func() any { return &messageBuffer{b: make([]byte, 0, 1024)} }}

const maxPooledMessage = 64 << 10

type messageBuffer struct{ b []byte }

func (m *messageBuffer) release() {
	if cap(m.b) <= maxPooledMessage {
		messageBuffers.Put(m)
	}
}

// read reads one message into a lent buffer, which the caller releases. gorilla keeps to the limit of its size.
func (c *conn) read() (message *messageBuffer, binary bool, err error) {
	c.borrow()
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, false, readError(err)
	}
	m := messageBuffers.Get().(*messageBuffer)
	m.b = m.b[:0]
	for {
		if len(m.b) == cap(m.b) {
			m.b = append(m.b, 0)[:len(m.b)]
		}
		n, err := r.Read(m.b[len(m.b):cap(m.b)])
		m.b = m.b[:len(m.b)+n]
		switch {
		case err == io.EOF:
			return m, kind == websocket.BinaryMessage, nil
		case err != nil:
			m.release()
			return nil, false, readError(err)
		}
	}
}

// readError tells a client's mistake from a connection that ended. gorilla has answered the mistake with its close frame.
func readError(err error) error {
	var closed *websocket.CloseError
	var network net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return errMessageTooBig
	case errors.As(err, &closed):
		return &transportError{closed}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed),
		errors.As(err, &network):
		return &transportError{err}
	}
	return &ProtocolError{Code: closeProtocolError, Reason: err.Error()}
}

// transportError is ErrTransportClosed with what the network said.
type transportError struct{ err error }

func (e *transportError) Error() string { return ErrTransportClosed.Error() + ": " + e.err.Error() }

func (e *transportError) Unwrap() []error {
	// gorilla gives 1006, which never travels, to a connection that ends within a frame.
	if websocket.IsUnexpectedCloseError(e.err, websocket.CloseAbnormalClosure) {
		return []error{ErrTransportClosed, ErrClientClosed, e.err}
	}
	return []error{ErrTransportClosed, e.err}
}
