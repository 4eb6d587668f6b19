//go:build !unix

package chatclient

import "syscall"

// readStraight has no non-blocking read to use on this system.
func (c *Conn) readStraight(syscall.Conn) error { return c.readCopied() }
