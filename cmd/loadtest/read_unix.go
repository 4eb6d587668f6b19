//go:build unix

package main

import (
	"io"
	"os"
	"syscall"
)

// readStraight reads from the socket into the lane's buffer whenever the poller finds it readable. Net.Conn's Read
// would want a buffer of each idle client, and would ask the kernel a second time before it waits: here a read that
// does not fill its room is the last one until the poller speaks again, which it does for every later arrival. The
// price: an end that arrives in one moment with the last data, without a close frame, shows only as losses, or when the
// client writes.
func (c *client) readStraight(conn syscall.Conn, after func(error) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, full, err := c.readOnce(int(fd))
			if err == syscall.EAGAIN {
				return false
			}
			if n <= 0 && err == nil {
				err = io.EOF
			}
			if result = after(err); result != nil {
				return true
			}
			if !full {
				return false
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// readOnce makes one read, which does not block, and consumes what came.
func (c *client) readOnce(fd int) (n int, full bool, err error) {
	c.lane.mu.Lock()
	defer c.lane.mu.Unlock()
	room := c.room()
	for {
		n, err = syscall.Read(fd, room)
		if err != syscall.EINTR {
			break
		}
	}
	switch {
	case err == syscall.EAGAIN:
		return 0, false, err
	case err != nil:
		return 0, false, os.NewSyscallError("read", err)
	case n == 0:
		return 0, false, nil
	}
	return n, n == len(room), c.received(n)
}
