//go:build !linux

package engineio

import (
	"net"
	"syscall"
)

// rawConn is nil: on this system every write is left to a goroutine that may block.
func rawConn(net.Conn) syscall.RawConn { return nil }

// awaitInput is never called where rawConn is nil.
func (c *conn) awaitInput() {}

type tryWriter struct{}

func newTryWriter() *tryWriter { return &tryWriter{} }

func (*tryWriter) write(syscall.RawConn, []byte) (int, error) { return 0, nil }
