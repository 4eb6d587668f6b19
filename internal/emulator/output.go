package emulator

import (
	"net"
	"sync"
	"time"
)

const (
	// highWater is the size of output, in bytes, at which the loop writes although it has more to do.
	highWater = 128 << 10

	writeTimeout = 30 * time.Second
)

// outputs pools output buffers. An idle connection has none.
var outputs = sync.Pool{New: func() any { return new([]byte) }}

// output is the writing half of a connection. The loop appends to buf and writes it in one call at the next flush.
type output struct {
	nc      net.Conn
	buf     []byte
	pooled  *[]byte // the pool's item that holds buf; nil without a buffer
	written time.Time

	// delayed holds output that the fault Delay holds back, oldest first.
	delayed []delayedWrite
}

type delayedWrite struct {
	due   time.Time
	bytes []byte
}

// buffer returns buf, from the pool if there was none.
func (o *output) buffer() []byte {
	if o.pooled == nil {
		o.pooled = outputs.Get().(*[]byte)
		o.buf = (*o.pooled)[:0]
	}
	return o.buf
}

// flush writes buf, or queues it for the given delay. Later output never overtakes delayed output.
func (o *output) flush(now time.Time, delay time.Duration) error {
	if len(o.buf) == 0 {
		return nil
	}
	if delay > 0 || len(o.delayed) > 0 {
		due := now.Add(delay)
		if n := len(o.delayed); n > 0 && due.Before(o.delayed[n-1].due) {
			due = o.delayed[n-1].due
		}
		o.delayed = append(o.delayed, delayedWrite{due: due, bytes: append([]byte(nil), o.buf...)})
		o.buf = o.buf[:0]
		o.written = now // keep-alive counts delayed output as written
		return nil
	}
	err := o.write(now, o.buf)
	o.buf = o.buf[:0]
	return err
}

// release returns an empty buffer to the pool. The loop calls it before it sleeps.
func (o *output) release() {
	if o.pooled != nil && len(o.buf) == 0 {
		*o.pooled = o.buf
		outputs.Put(o.pooled)
		o.pooled, o.buf = nil, nil
	}
}

// writeDelayed writes the delayed output that is due.
func (o *output) writeDelayed(now time.Time) error {
	for len(o.delayed) > 0 && !o.delayed[0].due.After(now) {
		b := o.delayed[0].bytes
		o.delayed[0] = delayedWrite{}
		o.delayed = o.delayed[1:]
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
