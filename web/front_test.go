package web_test

import (
	"net"
	"sync"
	"testing"
)

// front passes connections on to an instance, as a network does: until it is cut.
type front struct {
	address string
	drain   func() // ends the sessions of the instance as one does that is told to stop

	mu       sync.Mutex // guards what follows
	target   string
	listener net.Listener
	conns    map[net.Conn]bool
	frozen   bool          // bytes are swallowed
	held     chan struct{} // while not nil, bytes wait until it is closed
}

func newFront(t *testing.T, target string) *front {
	f := &front{target: target, conns: map[net.Conn]bool{}}
	if err := f.listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	f.address = f.listener.Addr().String()
	t.Cleanup(f.cut)
	return f
}

func (f *front) listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	f.listener = l
	go f.accept(l)
	return nil
}

func (f *front) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		target := f.target
		f.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if err != nil {
			in.Close()
			continue
		}
		f.mu.Lock()
		f.conns[in], f.conns[out] = true, true
		f.mu.Unlock()
		go f.pipe(in, out)
		go f.pipe(out, in)
	}
}

func (f *front) pipe(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		f.mu.Lock()
		frozen, held := f.frozen, f.held
		f.mu.Unlock()
		if held != nil {
			<-held
		}
		if frozen {
			continue
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// freeze swallows whatever is sent, as a network does that has gone without a word.
func (f *front) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = true
}

// hold keeps whatever is sent until release, as a slow network does.
func (f *front) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
}

func (f *front) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != nil {
		close(f.held)
		f.held = nil
	}
}

// cut ends all connections and lets none in.
func (f *front) cut() {
	f.release()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listener.Close()
	for c := range f.conns {
		c.Close()
	}
	clear(f.conns)
}

// mend lets connections in again.
func (f *front) mend(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = false
	if err := f.listen(f.address); err != nil {
		t.Fatal(err)
	}
}

// lead passes new connections on to another's instance.
func (f *front) lead(other *front) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = other.target
}
