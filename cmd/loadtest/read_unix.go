//go:build unix

package main

import (
	"io"
	"os"
	"syscall"
)

// readStraight reads from the socket into the lane's buffer whenever the poller finds it readable, where net.Conn's
// Read would want a buffer of each idle client. It reads until there is nothing left, as an end that came in one moment
// with the last data is told only once.
func (c *client) readStraight(conn syscall.Conn, after func(error) error) error {
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
			if result = after(err); result != nil {
				return true
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// readOnce makes one read, which does not block, and consumes what came.
func (c *client) readOnce(fd int) error {
	c.lane.mu.Lock()
	defer c.lane.mu.Unlock()
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
