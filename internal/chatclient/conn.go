package chatclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Handler receives the messages of one connection. The payload is valid until Handle returns;
// Protocol.Parse decodes it. An error ends the connection, and Serve returns it.
//
// The connection's Buffer is locked while Handle runs: Handle must neither block nor write to the
// connection if the buffer is shared.
type Handler interface {
	Handle(kind Kind, payload []byte) error
}

// ReadObserver is a Handler that does some of its work once for all messages of a read.
type ReadObserver interface {
	Handler
	// BeforeRead precedes the calls of Handle for what one read has brought, with the buffer locked.
	BeforeRead()
	// AfterRead follows them, with the buffer unlocked: it may write. An error ends the connection.
	AfterRead() error
}

// Options configure a Conn. The zero value speaks Socket.IO without credentials.
type Options struct {
	Protocol Protocol
	// Handler receives what the server sends; nil: the caller calls Next.
	Handler Handler
	// Auth are the client's credentials, encoded as JSON. A raw connection without any is let in at
	// once.
	Auth any
	// Silence is the time without a heartbeat after which the connection counts as lost; 0: it
	// never does. A Socket.IO server announces its own, which takes the place of this one.
	Silence time.Duration
	// WriteTimeout bounds each write; 0: a server that does not read blocks the writer.
	WriteTimeout time.Duration
	// Buffer is a read buffer to share with other connections; nil: the connection has its own.
	Buffer *Buffer
}

// CloseError is how a connection ends that the server has closed in order.
type CloseError struct {
	Code   int // of the WebSocket close frame; 0: it had none
	Reason string
}

func (e *CloseError) Error() string {
	if e.Code == 0 {
		return "closed by the server"
	}
	return fmt.Sprintf("closed by the server: %d %s", e.Code, e.Reason)
}

// Conn is a connection to a worker. Serve must run, or Next be called, for heartbeats to be answered.
type Conn struct {
	options  Options // immutable
	observer ReadObserver
	conn     net.Conn

	reader reader // owned by Serve's goroutine

	closing atomic.Bool // the end is wanted
	writing sync.Mutex  // held while writing to conn
}

// Dial connects to a server and makes the opening handshake. Over a raw WebSocket it also sends the
// credentials. ctx bounds only that. The caller must
// call Serve, or Next until it returns an error, and then Abort.
func Dial(ctx context.Context, target Target, o Options) (*Conn, error) {
	if o.Protocol == Raw && o.Auth != nil {
		target = target.withQuery("connect")
	}
	conn, rest, err := dial(ctx, target)
	if err != nil {
		return nil, err
	}
	c := newConn(conn, rest, o)
	if o.Protocol == Raw && o.Auth != nil {
		if err := c.writeText(Raw.connect(o.Auth)); err != nil {
			c.Abort()
			return nil, err
		}
	}
	return c, nil
}

// newConn returns a connection whose server has already sent rest.
func newConn(conn net.Conn, rest []byte, o Options) *Conn {
	if o.Buffer == nil {
		o.Buffer = NewBuffer(4 << 10)
	}
	c := &Conn{options: o, conn: conn}
	c.reader.early = bytes.Clone(rest)
	if o.Handler == nil {
		c.options.Handler = &queue{protocol: o.Protocol}
	}
	c.observer, _ = o.Handler.(ReadObserver)
	return c
}

// Serve reads until the connection ends, and closes it. It returns why: the handler's error, a
// *CloseError, or whatever else the connection met.
func (c *Conn) Serve() error {
	defer c.conn.Close()
	if err := c.begin(); err != nil {
		return err
	}
	return c.read()
}

// begin handles what came behind the handshake.
func (c *Conn) begin() error {
	c.extend(c.options.Silence)
	early := c.reader.early
	c.reader.early = nil
	c.options.Buffer.Lock()
	err := c.consume(early)
	c.options.Buffer.Unlock()
	return c.afterRead(err)
}

// extend gives the server so long until its next heartbeat.
func (c *Conn) extend(silence time.Duration) {
	c.reader.silence = silence
	if c.options.Silence > 0 && !c.closing.Load() {
		// This fails only on a closed connection, which the reader notices.
		_ = c.conn.SetReadDeadline(time.Now().Add(silence))
	}
}

// message handles one whole text message. The buffer must be locked.
func (c *Conn) message(payload []byte) error {
	kind := c.options.Protocol.classify(payload)
	switch kind {
	case Open:
		if c.options.Silence > 0 {
			m, err := c.options.Protocol.Parse(payload)
			if err != nil {
				return err
			}
			c.extend(m.Silence)
		}
		c.reply(opText, c.options.Protocol.connect(c.options.Auth))
	case Ping:
		c.extend(c.reader.silence)
		c.reply(opText, []byte("3"))
	}
	return c.options.Handler.Handle(kind, payload)
}

// reply queues a frame until the current read has been handled.
func (c *Conn) reply(opcode byte, payload []byte) {
	c.reader.replies = appendFrame(c.reader.replies, opcode, payload)
}

// Emit sends an event with its arguments, encoded as JSON. The server acknowledges it under ackID
// unless that is 0; the caller chooses ids and tells acknowledgements apart by them.
func (c *Conn) Emit(event string, ackID int, args ...any) error {
	list := encode(append([]any{}, args...))
	return c.writeText(c.options.Protocol.AppendEvent(nil, event, ackID, list[1:len(list)-1]))
}

// Disconnect tells the server that the client leaves for good. The server closes the connection.
func (c *Conn) Disconnect() error { return c.writeText(c.options.Protocol.disconnect()) }

func (c *Conn) writeText(payload []byte) error { return c.Write(AppendText(nil, payload)) }

// Write writes frames made by AppendText, in one system call.
func (c *Conn) Write(frames []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if d := c.options.WriteTimeout; d > 0 && !c.closing.Load() {
		_ = c.conn.SetWriteDeadline(time.Now().Add(d)) // fails only on a closed connection, which Write reports
	}
	_, err := c.conn.Write(frames)
	return err
}

// SetReadDeadline bounds the calls of Next to come.
func (c *Conn) SetReadDeadline(at time.Time) error { return c.conn.SetReadDeadline(at) }

// SetWriteDeadline bounds the writes under way and those to come, for connections without a
// WriteTimeout.
func (c *Conn) SetWriteDeadline(at time.Time) error { return c.conn.SetWriteDeadline(at) }

// StartClose starts the closing handshake (RFC 6455, section 7). Serve returns when the server has
// answered it, or after the timeout.
func (c *Conn) StartClose(timeout time.Duration) {
	if c.closing.Swap(true) {
		return
	}
	// Errors here mean that the connection has ended already.
	_ = c.conn.SetDeadline(time.Now().Add(timeout))
	_ = c.Write(appendFrame(nil, opClose, binary.BigEndian.AppendUint16(nil, 1000)))
}

// Closing reports whether StartClose has been called.
func (c *Conn) Closing() bool { return c.closing.Load() }

// Abort cuts the connection without a closing handshake. Serve returns an error.
func (c *Conn) Abort() { _ = c.conn.Close() }
