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
	// maxFrameSize is what the emulator announces and sends at most. The service's is 64 KB at its gateways.
	maxFrameSize = 65536

	firstBuffer = 4 << 10   // an idle connection keeps no more
	fullBuffer  = 128 << 10 // a busy one reads up to this at once
)

// input is the reading half of a connection: first the loop's, for the handshake, then the reader's.
type input struct {
	nc   net.Conn
	buf  []byte // holds buf[:have]
	have int

	// patience is how long the peer may be silent; 0 is for ever.
	patience time.Duration
}

func newInput(nc net.Conn) *input { return &input{nc: nc, buf: make([]byte, firstBuffer)} }

// fill reads once.
func (in *input) fill() error {
	if in.have == len(in.buf) {
		in.grow()
	}
	if in.patience > 0 {
		if err := in.nc.SetReadDeadline(time.Now().Add(in.patience)); err != nil {
			return err
		}
	}
	n, err := in.nc.Read(in.buf[in.have:])
	in.have += n
	if n > 0 {
		return nil
	}
	return err
}

// grow makes room; ParseFrame has refused frames beyond maxFrameSize, so that fullBuffer holds any.
func (in *input) grow() {
	bigger := make([]byte, min(4*len(in.buf), fullBuffer))
	copy(bigger, in.buf[:in.have])
	in.buf = bigger
}

// header reads a protocol header.
func (in *input) header() (amqp.ProtocolID, error) {
	for in.have < amqp.ProtocolHeaderSize {
		if err := in.fill(); err != nil {
			return 0, fmt.Errorf("read the protocol header: %w", err)
		}
	}
	id, err := amqp.ParseProtocolHeader([amqp.ProtocolHeaderSize]byte(in.buf))
	in.drop(amqp.ProtocolHeaderSize)
	return id, err
}

// frame reads one frame, whose body is good until the next read.
func (in *input) frame() (amqp.Frame, int, error) {
	for {
		f, size, err := amqp.ParseFrame(in.buf[:in.have], maxFrameSize)
		if err != nil || size > 0 {
			return f, size, err
		}
		if err := in.fill(); err != nil {
			return amqp.Frame{}, 0, err
		}
	}
}

func (in *input) drop(n int) {
	in.have = copy(in.buf, in.buf[n:in.have])
}

// whole returns how many bytes of the buffer are complete frames. It looks at sizes only: the loop parses.
func (in *input) whole() (int, error) {
	at := 0
	for in.have-at >= 4 {
		size := int(binary.BigEndian.Uint32(in.buf[at:]))
		if size < amqp.FrameHeaderSize || size > maxFrameSize {
			return at, amqp.Errorf(amqp.CondFramingError, "a frame of %d bytes, allowed are %d to %d", size, amqp.FrameHeaderSize, maxFrameSize)
		}
		if in.have-at < size {
			break
		}
		at += size
	}
	return at, nil
}

// reader hands over what the peer sends, whole frames at a time. While the loop works on one buffer the reader fills
// another; that the loop takes the next means that it is done with the one before.
type reader struct {
	chunks chan []byte
	done   chan struct{} // closed by the loop when it takes no more
	err    error         // why chunks was closed
}

// run reads until the connection ends. It is the reader goroutine.
func (r *reader) run(in *input) {
	defer close(r.chunks)
	var other []byte
	for {
		n, err := in.whole()
		if n > 0 {
			select {
			case r.chunks <- in.buf[:n]:
			case <-r.done:
				return
			}
			rest := in.buf[n:in.have]
			if len(other) < len(in.buf) {
				other = make([]byte, len(in.buf))
			}
			in.have = copy(other, rest)
			in.buf, other = other, in.buf
		}
		if err == nil {
			err = in.fill()
		}
		if err != nil {
			r.err = err
			return
		}
	}
}

// peerGone says whether an error of a read is the ordinary end of a connection.
func peerGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
