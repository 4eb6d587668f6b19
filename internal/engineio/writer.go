package engineio

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// writer writes to the sockets of its share of the sessions, and never waits for one. Its goroutine
// lives while there is something to write.
type writer struct {
	server *Server

	mu sync.Mutex
	// mu guards
	sessions []*Session // with something to write
	spare    []*Session // the previous list, emptied
	running  bool

	counters
}

// counters are kept by writer, so that counting is seldom contended.
type counters struct {
	messagesIn, bytesIn, messagesOut, bytesOut, writes atomic.Uint64
}

func (c *counters) received(n int) {
	c.messagesIn.Add(1)
	c.bytesIn.Add(uint64(n))
}

func (c *counters) sent(messages, bytes int) {
	c.messagesOut.Add(uint64(messages))
	c.bytesOut.Add(uint64(bytes))
	c.writes.Add(1)
}

// add puts a session on the list. The caller has marked it busy, so that it is on it once.
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

// next takes the list, and keeps the emptied one; nil ends the goroutine.
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
		// Readers that can run go first: their messages leave in the same writes. Otherwise a
		// writer would run after the first of many readers, and most of its writes carry one
		// message. Where no other goroutine can run this returns at once.
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

// scratch is where the frames of a session's queue are joined. Copying small frames is cheaper than
// a system call with a list of them, and much cheaper than a call for each.
type scratch struct {
	b   []byte
	try *tryWriter
}

const (
	scratchSize = 64 << 10
	// copyLimit is the size up to which a frame is copied; larger ones are written from where they
	// are.
	copyLimit = 16 << 10
)

var scratches = sync.Pool{New: func() any {
	return &scratch{b: make([]byte, 0, scratchSize), try: newTryWriter()}
}}

// write writes the queue of a session. It leaves to a blocked writer what the socket does not take
// at once.
func (w *writer) write(s *Session, scratch *scratch) {
	c, q, fx := s.takeQueue()
	if q == nil {
		w.perform(c, fx)
		return
	}
	written, rest, err := w.writeQueue(c, q, s.protocol.frameFormat(c.input.base64Only), scratch)
	if err == nil && rest != nil {
		w.sent(q.messages(), written+totalSize(rest))
		s.startBlockedWriter(c, rest, q)
		return
	}
	messages, size := s.server.releaseQueue(q)
	w.sent(messages, written+totalSize(rest))
	if err != nil {
		s.writeFailed(c, err)
	} else {
		more, fx := s.wrote(size)
		w.perform(c, fx)
		if more {
			w.add(s)
		}
	}
}

// perform is conn.perform for a goroutine that must not wait, as through TLS it may.
func (w *writer) perform(c *conn, fx effects) {
	if fx != 0 && c.rawConn == nil {
		w.server.goWith(c, func() { c.perform(fx) })
		return
	}
	c.perform(fx)
}

// writeQueue writes the queue without waiting; rest is what the socket did not take, in buffers
// that nobody writes to.
func (w *writer) writeQueue(c *conn, q *queue, f wireFormat, scratch *scratch) (written int, rest net.Buffers,
	err error) {
	b := scratch.b[:0]
	for i, p := range q.items {
		wire := p.wire(f)
		if len(b)+len(wire) <= scratchSize && len(wire) <= copyLimit {
			b = append(b, wire...)
			continue
		}
		n, err := w.tryWrite(c, b, scratch)
		written += n
		if err != nil || n < len(b) {
			return written, restOf(b[n:], q.items[i:], f), err
		}
		b = b[:0]
		if len(wire) <= copyLimit {
			b = append(b, wire...)
			continue
		}
		n, err = w.tryWrite(c, wire, scratch)
		written += n
		if err != nil || n < len(wire) {
			return written, append(net.Buffers{wire[n:]}, restOf(nil, q.items[i+1:], f)...), err
		}
	}
	n, err := w.tryWrite(c, b, scratch)
	written += n
	if err != nil || n < len(b) {
		return written, restOf(b[n:], nil, f), err
	}
	return written, nil, nil
}

func (w *writer) tryWrite(c *conn, b []byte, scratch *scratch) (int, error) {
	if len(b) == 0 || c.rawConn == nil {
		return 0, nil
	}
	return scratch.try.write(c.rawConn, b)
}

// restOf is a copy of head, which is part of a scratch, and the items' shared bytes behind it.
func restOf(head []byte, items []*Prepared, f wireFormat) net.Buffers {
	rest := make(net.Buffers, 0, 1+len(items))
	if len(head) > 0 {
		rest = append(rest, append([]byte(nil), head...))
	}
	for _, p := range items {
		rest = append(rest, p.wire(f))
	}
	return rest
}

func totalSize(buffers net.Buffers) int {
	size := 0
	for _, b := range buffers {
		size += len(b)
	}
	return size
}
