package engineio

import "sync"

// readerPool holds goroutines that handle what WebSockets receive. A session's own goroutine only
// waits for input: so it never needs more than the smallest stack, which is what an idle session
// costs. The deep calls of handlers share a few stacks that have grown.
type readerPool struct {
	server *Server

	mu sync.Mutex
	// mu guards
	idle   []*reader
	closed bool
}

// reader is one goroutine of the pool. A session that has taken it from the idle ones owns it.
type reader struct {
	jobs chan readJob
	done chan bool
}

// readJob asks to open a session, if it is new, and to read what has come for it. It is no closure:
// each idle session would hold one.
type readJob struct {
	session *Session
	conn    *conn
	isNew   bool
}

// maxIdleReaders is how many readers wait for jobs. When more sessions are busy at once, more are
// started, and end again.
const maxIdleReaders = 64

// do has a reader do the job and waits for it. It reports whether the connection goes on, as
// Session.read does.
func (p *readerPool) do(j readJob) bool {
	r := p.take()
	r.jobs <- j
	more := <-r.done
	p.put(r)
	return more
}

func (p *readerPool) take() *reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		r := p.idle[last]
		p.idle = p.idle[:last]
		return r
	}
	r := &reader{jobs: make(chan readJob), done: make(chan bool)}
	p.server.running.Go(r.run)
	return r
}

func (p *readerPool) put(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= maxIdleReaders {
		close(r.jobs)
		return
	}
	p.idle = append(p.idle, r)
}

// close ends the idle readers, and the others after their job.
func (p *readerPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, r := range p.idle {
		close(r.jobs)
	}
	p.idle = nil
}

func (r *reader) run() {
	for j := range r.jobs {
		if j.isNew {
			j.session.notifyOpened()
			if !j.conn.hasInput() {
				r.done <- true
				continue
			}
		}
		r.done <- j.session.read(j.conn)
	}
}
