package emulator

import (
	"net"
	"sync"
	"time"
)

const (
	// highWater is how much output gathers before it is written even though the loop has more to do.
	highWater = 128 << 10

	writeTimeout = 30 * time.Second
)

// outputs keeps buffers for connections that have something to write; an idle connection has none.
var outputs = sync.Pool{New: func() any { return new([]byte) }}

// output is the writing half of a connection: what the loop appends to buf leaves in one write at the next flush.
type output struct {
	nc      net.Conn
	buf     []byte
	pooled  *[]byte // where buf came from
	written time.Time

	// late holds what a fault delays, oldest first.
	late []lateWrite
}

type lateWrite struct {
	due   time.Time
	bytes []byte
}

// begin makes sure that there is a buffer and returns it.
func (o *output) begin() []byte {
	if o.pooled == nil {
		o.pooled = outputs.Get().(*[]byte)
		o.buf = (*o.pooled)[:0]
	}
	return o.buf
}

// flush writes what has gathered, or sets it aside for the given time. What is late stays in front of what is not.
func (o *output) flush(now time.Time, delay time.Duration) error {
	if len(o.buf) == 0 {
		return nil
	}
	if delay > 0 || len(o.late) > 0 {
		due := now.Add(delay)
		if n := len(o.late); n > 0 && due.Before(o.late[n-1].due) {
			due = o.late[n-1].due
		}
		o.late = append(o.late, lateWrite{due: due, bytes: append([]byte(nil), o.buf...)})
		o.buf = o.buf[:0]
		o.written = now // as far as the loop is concerned
		return nil
	}
	err := o.write(now, o.buf)
	o.buf = o.buf[:0]
	return err
}

// release gives the buffer back when the loop has nothing to do.
func (o *output) release() {
	if o.pooled != nil && len(o.buf) == 0 {
		*o.pooled = o.buf
		outputs.Put(o.pooled)
		o.pooled, o.buf = nil, nil
	}
}

// writeDue writes what was delayed until now.
func (o *output) writeDue(now time.Time) error {
	for len(o.late) > 0 && !o.late[0].due.After(now) {
		b := o.late[0].bytes
		o.late[0] = lateWrite{}
		o.late = o.late[1:]
		if err := o.write(now, b); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) write(now time.Time, b []byte) error {
	if err := o.nc.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
		return err
	}
	_, err := o.nc.Write(b)
	o.written = now
	return err
}
