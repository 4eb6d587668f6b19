package engineio

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns the way to write to c without waiting, or nil where only a blocking write is
// possible, as through TLS.
func rawConn(c net.Conn) syscall.RawConn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// awaitInput waits until input has come or the connection has ended, which the next Read reports.
// It holds no buffer while it waits, and fits the smallest stack.
func (c *conn) awaitInput() {
	if c.input.tryRead == nil {
		c.input.tryRead = c.fillAhead
	}
	_ = c.rawConn.Read(c.input.tryRead)
}

// fillAhead reads what has come into a borrowed buffer. It reports false when the socket has
// nothing yet.
func (c *conn) fillAhead(fd uintptr) bool {
	ahead := readAheads.Get().(*readAhead)
	n, err := syscall.Read(int(fd), ahead.b[:])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), ahead.b[:])
	}
	if n > 0 {
		ahead.from, ahead.to = 0, n
		c.input.ahead = ahead
		return true
	}
	readAheads.Put(ahead)
	return err != syscall.EAGAIN
}

// tryWriter writes what a socket takes at once. It keeps its closure, so that a write allocates
// nothing.
type tryWriter struct {
	b   []byte
	n   int
	err error
	f   func(fd uintptr) bool
}

func newTryWriter() *tryWriter {
	t := &tryWriter{}
	t.f = func(fd uintptr) bool {
		for {
			t.n, t.err = syscall.Write(int(fd), t.b)
			if !errors.Is(t.err, syscall.EINTR) {
				return true // also where the socket is full: the caller does not wait for it
			}
		}
	}
	return t
}

// write writes as much of b as the socket takes without waiting. A full socket is no error.
func (t *tryWriter) write(raw syscall.RawConn, b []byte) (int, error) {
	t.b = b
	err := raw.Write(t.f)
	t.b = nil
	switch {
	case err != nil:
		return 0, err
	case t.err == syscall.EAGAIN:
		return 0, nil
	case t.err != nil:
		return 0, t.err
	}
	return t.n, nil
}
