package emulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// listener is one address the server listens on.
type listener struct {
	kind    listenerKind
	address string       // with the bound port once listening; a restart binds the same port again
	ln      net.Listener // nil while closed
}

type listenerKind int

const (
	listenAMQP listenerKind = iota
	listenHTTP
	listenTLS
)

func (k listenerKind) String() string { return [...]string{"AMQP", "HTTP", "TLS"}[k] }

// listen opens every listener and starts its accept goroutine.
func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	var ports []int
	for _, d := range s.listeners {
		listener, err := net.Listen("tcp", d.address)
		if err != nil {
			return fmt.Errorf("listen for %s on %s: %w", d.kind, d.address, err)
		}
		d.address, d.ln = listener.Addr().String(), listener
		if d.kind == listenTLS {
			ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
		}
	}
	if len(ports) > 0 && s.certificate == nil {
		var err error
		if s.certificate, err = newCertificate(ports, s.options.Hosts); err != nil {
			return err
		}
	}
	for _, d := range s.listeners {
		listener := d.ln
		s.serving.Go(func() { s.accept(d.kind, listener) })
	}
	return nil
}

// accept is the goroutine of one listener. It ends when the listener is closed.
func (s *Server) accept(kind listenerKind, listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("accept", "listener", kind.String(), "err", err)
			}
			return
		}
		s.serving.Go(func() { s.serveConn(kind, nc) })
	}
}

// serveConn detects the protocol of a connection by its first bytes, serves it and returns when it has ended.
func (s *Server) serveConn(kind listenerKind, nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true) // Go's default, but vital: with Nagle's algorithm each request takes 40 ms
	}
	if kind == listenTLS {
		nc = tls.Server(nc, s.certificate.config())
	}
	peeked, isAMQP, err := sniff(nc)
	switch {
	case err != nil:
		s.log.Debug("connection ended before its first bytes", "listener", kind.String(), "remote",
			nc.RemoteAddr().String(), "err", err)
		_ = nc.Close()
	case isAMQP:
		s.serveAMQP(peeked)
	default:
		s.serveHTTP(peeked)
	}
}

func (s *Server) closeListenersLocked(each func(*conn)) {
	for _, d := range s.listeners {
		if d.ln != nil {
			_ = d.ln.Close()
			d.ln = nil
		}
	}
	for c := range s.conns {
		each(c)
	}
}

// AMQPAddress returns host and port of the AMQP listener without TLS.
func (s *Server) AMQPAddress() string { return s.address(listenAMQP) }

// HTTPAddress returns host and port of the management listener without TLS.
func (s *Server) HTTPAddress() string { return s.address(listenHTTP) }

// TLSAddress returns host and port of the first TLS listener; empty if there is none.
func (s *Server) TLSAddress() string { return s.address(listenTLS) }

func (s *Server) address(kind listenerKind) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.listeners {
		if d.kind == kind {
			return d.address
		}
	}
	return ""
}

// sniffTimeout is how long a client may take to send its first bytes.
const sniffTimeout = 20 * time.Second

// sniff reads the first bytes of a connection and reports whether they begin an AMQP protocol header. The connection it
// returns yields those bytes again.
func sniff(nc net.Conn) (net.Conn, bool, error) {
	var first [4]byte
	if err := nc.SetReadDeadline(time.Now().Add(sniffTimeout)); err != nil {
		return nc, false, err
	}
	if _, err := io.ReadFull(nc, first[:]); err != nil {
		return nc, false, err
	}
	if err := nc.SetReadDeadline(time.Time{}); err != nil {
		return nc, false, err
	}
	return &peekedConn{Conn: nc, first: first[:]}, string(first[:]) == "AMQP", nil
}

// peekedConn is a connection whose first bytes were read already. Read returns them first.
type peekedConn struct {
	net.Conn
	first []byte
}

func (p *peekedConn) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite closes the writing half if the connection supports that.
func (p *peekedConn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
