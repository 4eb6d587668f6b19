//go:build !unix

package main

import "syscall"

// readStraight has no non-blocking read to use on this system.
func (c *client) readStraight(_ syscall.Conn, after func(error) error) error {
	return c.readCopied(after)
}
