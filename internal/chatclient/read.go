package chatclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// maxKept is the most memory that a connection keeps for the beginning of a frame while it has none.
const maxKept = 512

// Buffer is a read buffer that several connections share: one of them uses it at a time, and only
// while there is something to read. Its lock is held while handlers run, so that it may also guard
// what those handlers count.
type Buffer struct {
	sync.Mutex

	// guarded by Mutex
	Reads  uint64 // system calls that returned data
	Frames uint64 // WebSocket frames received
	data   []byte
}

// NewBuffer returns a buffer for reads of size bytes. It grows when a message is longer.
func NewBuffer(size int) *Buffer { return &Buffer{data: make([]byte, size)} }

// reader is what a connection knows of the message it is about to receive.
type reader struct {
	early      []byte // what came behind the opening handshake
	rest       []byte // the start of a frame whose end has not come
	wanted     int    // bytes of that frame known to be needed
	fragments  []byte // the frames so far of a fragmented message
	fragmented bool   // within a fragmented message
	replies    []byte // frames to write once the read has been handled
	silence    time.Duration
}

// read reads until the connection ends.
func (c *Conn) read() error {
	if conn, ok := c.conn.(syscall.Conn); ok {
		return c.readStraight(conn)
	}
	return c.readCopied()
}

// readCopied reads by way of a buffer of the connection's own, for connections that can't be read
// straight into the shared buffer: TLS, and systems other than Unix.
func (c *Conn) readCopied() error {
	buf := make([]byte, 16<<10)
	for {
		if err := c.readBlocking(buf); err != nil {
			return err
		}
	}
}

// readBlocking makes one read, and handles what came.
func (c *Conn) readBlocking(buf []byte) error {
	n, err := c.conn.Read(buf)
	if n > 0 {
		c.options.Buffer.Lock()
		c.reader.wanted = max(c.reader.wanted, len(c.reader.rest)+n)
		copy(c.room(), buf[:n])
		handled := c.received(n)
		c.options.Buffer.Unlock()
		if err := c.afterRead(handled); err != nil {
			return err
		}
	}
	return err
}

// afterRead does what can't be done while the buffer is locked: it writes the replies.
func (c *Conn) afterRead(err error) error {
	if r := &c.reader; len(r.replies) > 0 {
		if err := c.Write(r.replies); err != nil && !c.closing.Load() {
			return err
		}
		r.replies = r.replies[:0]
	}
	if err != nil || c.observer == nil {
		return err
	}
	return c.observer.AfterRead()
}

// room returns the part of the buffer that the next read may fill, behind what is left of the last
// one. The buffer must be locked.
func (c *Conn) room() []byte {
	b, r := c.options.Buffer, &c.reader
	if need := max(r.wanted, len(r.rest)+len(b.data)/2); need > len(b.data) {
		b.data = make([]byte, 2*need)
	}
	return b.data[copy(b.data, r.rest):]
}

// received handles the n bytes read into room. The buffer must be locked.
func (c *Conn) received(n int) error {
	b := c.options.Buffer
	b.Reads++
	return c.consume(b.data[:len(c.reader.rest)+n])
}

// consume handles every whole frame of data and keeps the rest. The buffer must be locked.
func (c *Conn) consume(data []byte) error {
	if c.observer != nil {
		c.observer.BeforeRead()
	}
	r := &c.reader
	for {
		f, size, complete, err := scanFrame(data)
		if err != nil {
			return err
		}
		if !complete {
			r.wanted = size
			break
		}
		data = data[size:]
		c.options.Buffer.Frames++
		if err := c.frame(f); err != nil {
			return err
		}
	}
	if cap(r.rest) > maxKept {
		r.rest = nil
	}
	r.rest = append(r.rest[:0], data...)
	return nil
}

// frame handles one frame: control frames at once, messages when they are whole.
func (c *Conn) frame(f frame) error {
	r := &c.reader
	switch f.opcode {
	case opText, opBinary:
		if r.fragmented {
			return errors.New("new message within a fragmented one")
		}
		if f.fin {
			if f.opcode == opBinary {
				return nil // an attachment: no event of the chat has any
			}
			return c.message(f.payload)
		}
		r.fragmented, r.fragments = true, append(r.fragments[:0], f.payload...)
	case opContinuation:
		if !r.fragmented {
			return errors.New("continuation frame outside a message")
		}
		if len(r.fragments)+len(f.payload) > MaxPayload {
			return fmt.Errorf("fragmented message of more than %d bytes", MaxPayload)
		}
		r.fragments = append(r.fragments, f.payload...)
		if f.fin {
			whole := r.fragments
			r.fragmented, r.fragments = false, nil
			return c.message(whole)
		}
	case opPing:
		c.extend(r.silence)
		c.reply(opPong, f.payload)
		return c.options.Handler.Handle(Ping, nil)
	case opClose:
		if !c.closing.Load() {
			c.reply(opClose, f.payload)
		}
		return closeError(f.payload)
	}
	return nil
}

// closeError reads code and reason of a close frame.
func closeError(payload []byte) error {
	if len(payload) < 2 {
		return &CloseError{}
	}
	return &CloseError{Code: int(binary.BigEndian.Uint16(payload)), Reason: string(payload[2:])}
}
