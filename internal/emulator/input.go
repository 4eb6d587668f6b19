package emulator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"chatapp/internal/emulator/amqp"
)

const (
	// maxFrameSize is the max-frame-size that the emulator announces, in bytes, and the most it sends. The
	// gateways of the service have the same.
	maxFrameSize = 65536

	minBuffer = 4 << 10   // in bytes; the buffer of an idle connection
	maxBuffer = 128 << 10 // in bytes; one read of a busy connection fills at most this
)

// input is the reading half of a connection. The loop owns it during the handshake, the reader afterwards. Frames alias
// its buffer until they are consumed.
type input struct {
	nc     net.Conn
	buf    []byte // buf[:filled] holds data
	filled int

	// readTimeout is how long the client may be silent; 0 means no limit.
	readTimeout time.Duration
}

func newInput(nc net.Conn) *input { return &input{nc: nc, buf: make([]byte, minBuffer)} }

// fill reads once.
func (in *input) fill() error {
	if in.filled == len(in.buf) {
		in.grow()
	}
	if in.readTimeout > 0 {
		if err := in.nc.SetReadDeadline(time.Now().Add(in.readTimeout)); err != nil {
			return err
		}
	}
	n, err := in.nc.Read(in.buf[in.filled:])
	in.filled += n
	if n > 0 {
		return nil
	}
	return err
}

// grow enlarges the buffer. maxBuffer holds any frame, because completeFrames refuses those beyond maxFrameSize.
func (in *input) grow() {
	bigger := make([]byte, min(4*len(in.buf), maxBuffer))
	copy(bigger, in.buf[:in.filled])
	in.buf = bigger
}

// header reads and consumes a protocol header.
func (in *input) header() (amqp.ProtocolID, error) {
	for in.filled < amqp.ProtocolHeaderSize {
		if err := in.fill(); err != nil {
			return 0, fmt.Errorf("read the protocol header: %w", err)
		}
	}
	id, err := amqp.ParseProtocolHeader([amqp.ProtocolHeaderSize]byte(in.buf))
	in.consume(amqp.ProtocolHeaderSize)
	return id, err
}

// frame reads one frame and its size. The caller consumes it; the body is valid until then.
func (in *input) frame() (amqp.Frame, int, error) {
	for {
		f, size, err := amqp.ParseFrame(in.buf[:in.filled], maxFrameSize)
		if err != nil || size > 0 {
			return f, size, err
		}
		if err := in.fill(); err != nil {
			return amqp.Frame{}, 0, err
		}
	}
}

func (in *input) consume(n int) {
	in.filled = copy(in.buf, in.buf[n:in.filled])
}

// completeFrames returns how many bytes of the buffer are complete frames. It reads the sizes only.
func (in *input) completeFrames() (int, error) {
	at := 0
	for in.filled-at >= 4 {
		size := int(binary.BigEndian.Uint32(in.buf[at:]))
		if size < amqp.FrameHeaderSize || size > maxFrameSize {
			return at, amqp.Errorf(amqp.CondFramingError, "a frame of %d bytes, allowed are %d to %d", size,
				amqp.FrameHeaderSize, maxFrameSize)
		}
		if in.filled-at < size {
			break
		}
		at += size
	}
	return at, nil
}

// isConnectionEnd reports whether a read error is the ordinary end of a connection.
func isConnectionEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
