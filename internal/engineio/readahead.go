package engineio

import (
	"bufio"
	"runtime"
	"sync"
)

// input is the part of a conn between the network and gorilla's reader. The goroutine that reads
// owns it. It borrows buffers while there is something to read; an idle connection has none.
type input struct {
	buffer     bufio.Reader  // gorilla's; empty while lent is nil
	lent       *bufio.Reader // whose buffer it has
	ahead      *readAhead    // nil while nothing is read ahead
	bufferFull bool          // the last read filled the buffer: the peer sends faster
	base64Only bool          // the client sends and takes binary messages as text: forceBase64
	late       int32         // bytes of messages that came after the session's end
	tryRead    func(fd uintptr) bool
}

// readBuffers are lent to gorilla while something is read.
var readBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 2<<10) }}

// readAhead holds what was read from the network and is not in gorilla's buffer yet.
type readAhead struct {
	from, to int // the rest
	b        [readAheadSize]byte
}

const readAheadSize = 16<<10 - 16 // with from and to 16 KiB

var readAheads = sync.Pool{New: func() any { return new(readAhead) }}

func (a *readAhead) rest() []byte {
	if a == nil {
		return nil
	}
	return a.b[a.from:a.to]
}

// borrowBuffer gives gorilla's reader a buffer.
func (c *conn) borrowBuffer() {
	if c.input.lent == nil {
		c.input.lent = readBuffers.Get().(*bufio.Reader)
		c.input.lent.Reset(c)
		c.input.buffer = *c.input.lent
	}
}

// returnBuffer takes the buffer, which must be empty, from gorilla's reader.
func (c *conn) returnBuffer() {
	if c.input.lent != nil {
		c.input.buffer = bufio.Reader{}
		c.input.lent.Reset(nil)
		readBuffers.Put(c.input.lent)
		c.input.lent = nil
	}
}

// hasInput reports whether something that was read is not handled yet.
func (c *conn) hasInput() bool { return c.input.ahead != nil || c.input.buffer.Buffered() > 0 }

// Read takes from what was read ahead. When there is nothing, it reads from the network what
// gorilla's buffer holds. When the previous read filled that buffer, it reads all there is into a
// larger, borrowed one, which goes back once it is used up.
func (c *conn) Read(p []byte) (int, error) {
	in := &c.input
	if in.ahead != nil {
		return in.takeAhead(p), nil
	}
	if !in.bufferFull || len(p) >= readAheadSize {
		n, err := c.Conn.Read(p)
		in.bufferFull = n == len(p)
		return n, err
	}
	in.bufferFull = false
	runtime.Gosched() // a peer that sends faster than it is read keeps no processor from the others
	ahead := readAheads.Get().(*readAhead)
	n, err := c.Conn.Read(ahead.b[:])
	if n == 0 {
		readAheads.Put(ahead)
		return 0, err
	}
	in.bufferFull = n == readAheadSize
	ahead.from, ahead.to = 0, n
	in.ahead = ahead
	return in.takeAhead(p), nil
}

func (in *input) takeAhead(p []byte) int {
	n := copy(p, in.ahead.rest())
	in.skipAhead(n)
	return n
}

// skipAhead takes n bytes from what was read ahead, and gives the buffer back when that was all.
func (in *input) skipAhead(n int) {
	if in.ahead.from += n; in.ahead.from == in.ahead.to {
		readAheads.Put(in.ahead)
		in.ahead = nil
	}
}
