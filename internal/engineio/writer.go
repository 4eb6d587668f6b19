package engineio

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// writer writes for its share of the sessions. Its goroutine lives while there is something to write.
type writer struct {
	server *Server

	mu sync.Mutex
	// mu guards
	sessions []*Session // with something to write
	spare    []*Session // the list before, emptied
	running  bool

	// Counted for its share of the sessions, so that counting is seldom contended.
	messagesIn, bytesIn, messagesOut, bytesOut, writes atomic.Uint64
}

func (w *writer) received(n int) {
	w.messagesIn.Add(1)
	w.bytesIn.Add(uint64(n))
}

// add puts a session on the list. The caller has marked it busy, so it is on it once.
func (w *writer) add(s *Session) {
	w.mu.Lock()
	w.sessions = append(w.sessions, s)
	start := !w.running
	w.running = true
	w.mu.Unlock()
	if start {
		w.server.running.Go(w.run)
	}
}

// next takes the list; nil ends the goroutine.
func (w *writer) next(emptied []*Session) []*Session {
	w.mu.Lock()
	defer w.mu.Unlock()
	if emptied != nil {
		w.spare = emptied[:0]
	}
	if len(w.sessions) == 0 {
		w.running = false
		return nil
	}
	list := w.sessions
	w.sessions, w.spare = w.spare, nil
	return list
}

func (w *writer) run() {
	scratch := scratches.Get().(*scratch)
	defer scratches.Put(scratch)
	var list []*Session
	for {
		// Readers that can run go first: what they bring leaves in the same writes. Without it a writer runs after the first reader
		// of many, and most of its writes carry one message. Where nobody else can run this returns at once.
		runtime.Gosched()
		list = w.next(list)
		if list == nil {
			return
		}
		for i, s := range list {
			list[i] = nil
			w.write(s, scratch)
		}
	}
}

// scratch is where what a session has waiting is gathered. Copying small frames together is cheaper than a system call with a
// list of them, and much cheaper than a call for each.
type scratch struct {
	b   []byte
	try *tryWriter
}

const (
	scratchSize = 64 << 10
	// copyLimit is the size up to which a frame is copied; larger ones are written from where they are.
	copyLimit = 16 << 10
)

var scratches = sync.Pool{New: func() any {
	return &scratch{b: make([]byte, 0, scratchSize), try: newTryWriter()}
}}

// write writes all that a session has waiting. What its socket does not take at once is left to a blocked writer.
func (w *writer) write(s *Session, scratch *scratch) {
	c, q, due := s.take()
	if q == nil {
		w.end(c, due)
		return
	}
	written, rest, err := w.writeQueue(c, q, scratch)
	w.count(q, written+totalSize(rest))
	size := q.size()
	q.release()
	switch {
	case err != nil:
		s.writeFailed(c)
	case rest != nil:
		s.block(c, rest, size)
	default:
		more, due := s.written(size)
		w.end(c, due)
		if more {
			w.add(s)
		}
	}
}

// end is conn.end for a goroutine that others wait for.
func (w *writer) end(c *conn, due ending) {
	if due != stay && c.raw == nil {
		w.server.goWith(c, func() { c.end(due) })
		return
	}
	c.end(due)
}

func (w *writer) count(q *queue, written int) {
	messages := 0
	for _, p := range q.items {
		messages += len(p.messages)
	}
	w.messagesOut.Add(uint64(messages))
	w.bytesOut.Add(uint64(written))
	w.writes.Add(1)
}

// writeQueue writes the queue without waiting; rest is what the socket did not take, in buffers nobody else writes to.
func (w *writer) writeQueue(c *conn, q *queue, scratch *scratch) (written int, rest net.Buffers, err error) {
	b := scratch.b[:0]
	for i, p := range q.items {
		wire := p.wire(c.form)
		if len(b)+len(wire) <= scratchSize && len(wire) <= copyLimit {
			b = append(b, wire...)
			continue
		}
		n, err := w.tryWrite(c, b, scratch)
		written += n
		if err != nil || n < len(b) {
			return written, restOf(b[n:], q.items[i:], c.form), err
		}
		b = b[:0]
		if len(wire) <= copyLimit {
			b = append(b, wire...)
			continue
		}
		n, err = w.tryWrite(c, wire, scratch)
		written += n
		if err != nil || n < len(wire) {
			return written, append(net.Buffers{wire[n:]}, restOf(nil, q.items[i+1:], c.form)...), err
		}
	}
	n, err := w.tryWrite(c, b, scratch)
	written += n
	if err != nil || n < len(b) {
		return written, restOf(b[n:], nil, c.form), err
	}
	return written, nil, nil
}

func (w *writer) tryWrite(c *conn, b []byte, scratch *scratch) (int, error) {
	if len(b) == 0 || c.raw == nil {
		return 0, nil
	}
	return scratch.try.write(c.raw, b)
}

// restOf is a copy of head, which stands in scratch, and the items' shared bytes behind it.
func restOf(head []byte, items []*Prepared, f form) net.Buffers {
	rest := make(net.Buffers, 0, 1+len(items))
	if len(head) > 0 {
		rest = append(rest, append([]byte(nil), head...))
	}
	for _, p := range items {
		rest = append(rest, p.wire(f))
	}
	return rest
}

// take takes all that waits; nil when there is nothing: the session is then no longer busy, and its connection to be ended as due says.
func (s *Session) take() (c *conn, q *queue, due ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, s.queue = s.queue, nil
	if q == nil {
		due = s.idleLocked()
	}
	return s.conn, q, due
}

// written notes that so much was written; where no more has come meanwhile the connection is to be ended as due says.
func (s *Session) written(size int) (more bool, due ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queued -= size
	if s.queue != nil {
		return true, stay
	}
	return false, s.idleLocked()
}

func (s *Session) idleLocked() ending {
	s.busy, s.blocked = false, false
	return s.endingLocked()
}

// endingLocked is what is to be done with the connection, once, as soon as the session is over and has nothing left to write. The caller
// does it when the lock is free.
func (s *Session) endingLocked() ending {
	if s.busy || s.conn == nil {
		return stay
	}
	due := s.after
	s.after = stay
	return due
}

// writeFailed closes the connection, by which the session's reader learns of it and ends the session.
func (s *Session) writeFailed(c *conn) {
	s.mu.Lock()
	s.dropLocked()
	s.queued = 0
	s.busy, s.blocked = false, false
	s.mu.Unlock()
	c.abort()
}

// block leaves a full socket to a goroutine that waits for it.
func (s *Session) block(c *conn, rest net.Buffers, size int) {
	s.mu.Lock()
	s.blocked = true
	s.mu.Unlock()
	s.server.goWith(c, func() { s.writeBlocked(c, rest, size) })
}

func (s *Session) writeBlocked(c *conn, rest net.Buffers, size int) {
	for {
		if err := s.writeAll(c, rest); err != nil {
			if isTimeout(err) && s.end(ErrSlowConsumer) {
				s.server.running.Go(s.finish)
			}
			s.writeFailed(c)
			return
		}
		more, due := s.written(size)
		if !more {
			c.end(due)
			return
		}
		_, q, due := s.take()
		if q == nil {
			c.end(due)
			return
		}
		rest = restOf(nil, q.items, c.form)
		s.writer().count(q, totalSize(rest))
		size = q.size()
		q.release()
	}
}

// blockedWriteSize is how much a blocked writer hands to the system at a time: each time the socket has a full heartbeat to take it.
const blockedWriteSize = 256 << 10

// writeAll writes all buffers, waiting for the socket; a peer that takes nothing for as long as a heartbeat may last is too slow.
func (s *Session) writeAll(c *conn, rest net.Buffers) error {
	for len(rest) > 0 {
		part := cutBuffers(&rest, blockedWriteSize)
		if !s.over.Load() { // or else the deadline is that of the closing handshake
			_ = c.Conn.SetWriteDeadline(time.Now().Add(s.server.options.PingInterval + s.server.options.PingTimeout))
			if s.over.Load() {
				_ = c.Conn.SetWriteDeadline(time.Now().Add(s.server.options.CloseTimeout))
			}
		}
		if err := writeBuffers(c.Conn, part); err != nil {
			return err
		}
	}
	return nil
}

// writeBuffers writes by one writev where the connection is TCP, else joined: a record or a message per frame is dear.
func writeBuffers(c net.Conn, part net.Buffers) error {
	if _, ok := c.(*net.TCPConn); ok {
		_, err := part.WriteTo(c)
		return err
	}
	joined := make([]byte, 0, totalSize(part))
	for _, b := range part {
		joined = append(joined, b...)
	}
	_, err := c.Write(joined)
	return err
}

// cutBuffers cuts about size bytes off the front of rest, splitting a buffer where need be.
func cutBuffers(rest *net.Buffers, size int) net.Buffers {
	var part net.Buffers
	for len(*rest) > 0 && size > 0 {
		b := (*rest)[0]
		if len(b) > size {
			(*rest)[0] = b[size:]
			return append(part, b[:size])
		}
		part = append(part, b)
		size -= len(b)
		*rest = (*rest)[1:]
	}
	return part
}

func totalSize(buffers net.Buffers) int {
	size := 0
	for _, b := range buffers {
		size += len(b)
	}
	return size
}
