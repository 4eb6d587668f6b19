//go:build unix

package chatclient

import (
	"io"
	"os"
	"syscall"
)

// readStraight reads from the socket into the shared buffer whenever the poller finds it readable,
// where net.Conn's Read would need a buffer for each idle connection. It reads until there is
// nothing left, because the poller reports only once an end that came in one moment with the last
// data.
func (c *Conn) readStraight(conn syscall.Conn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Read(func(fd uintptr) bool {
		for {
			err := c.readOnce(int(fd))
			if err == syscall.EAGAIN {
				return false
			}
			if result = c.afterRead(err); result != nil {
				return true
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// readOnce makes one read, which does not block, and handles what came.
func (c *Conn) readOnce(fd int) error {
	c.options.Buffer.Lock()
	defer c.options.Buffer.Unlock()
	room := c.room()
	for {
		switch n, err := syscall.Read(fd, room); {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return err
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0:
			return io.EOF
		default:
			return c.received(n)
		}
	}
}
