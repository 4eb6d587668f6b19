package engineio

import "sync"

// readers are goroutines that handle what a WebSocket brings. A session's own goroutine only waits for it: so it never needs more than
// the smallest stack, which an idle session pays for, and the deep calls of handlers share a few stacks that have grown to fit.
type readers struct {
	server *Server

	mu sync.Mutex
	// mu guards
	idle   []*reader
	closed bool
}

// reader is one such goroutine. Whoever has taken it from the idle ones owns it.
type reader struct {
	work chan job
	done chan bool
}

// job is to open a session, if it is new, and to read what has come for it. It is no closure, which each idle session would hold.
type job struct {
	session *Session
	conn    *conn
	isNew   bool
}

// maxIdleReaders is how many wait for work; when many sessions get busy at once more are started and end again.
const maxIdleReaders = 64

// do has a reader do the job, waits for it, and returns what Session.read returned.
func (p *readers) do(j job) bool {
	r := p.take()
	r.work <- j
	more := <-r.done
	p.put(r)
	return more
}

func (p *readers) take() *reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		r := p.idle[last]
		p.idle = p.idle[:last]
		return r
	}
	r := &reader{work: make(chan job), done: make(chan bool)}
	p.server.running.Go(r.run)
	return r
}

func (p *readers) put(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdleReaders {
		close(r.work)
		return
	}
	p.idle = append(p.idle, r)
}

// close ends the idle readers, and the others when they are done.
func (p *readers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.idle {
		close(r.work)
	}
	p.idle = nil
}

func (r *reader) run() {
	for j := range r.work {
		if j.isNew {
			j.session.open()
			if !j.conn.waiting() {
				r.done <- true
				continue
			}
		}
		r.done <- j.session.read(j.conn)
	}
}
