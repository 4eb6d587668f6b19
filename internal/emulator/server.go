package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"chatapp/internal/emulator/amqp"
	"chatapp/internal/emulator/broker"
	"chatapp/internal/emulator/management"
)

// The doors of Microsoft's emulator, which are the defaults of this one.
const (
	DefaultAMQPPort = 5672
	DefaultHTTPPort = 5300
)

// RootKey is the key of Microsoft's emulator, and the only one unless others are given.
var RootKey = broker.AuthorizationRule{KeyName: "RootManageSharedAccessKey", PrimaryKey: "SAS_KEY_VALUE", Claims: broker.Manage}

// Options of a [Server].
type Options struct {
	// AMQPAddress and HTTPAddress are where to listen without TLS, such as "127.0.0.1:5672"; port 0 takes a free one.
	// Empty means the default port on loopback.
	AMQPAddress, HTTPAddress string

	// TLSAddresses are where to listen with TLS, at each for AMQP, WebSocket and management together; none by default.
	// One is enough for most SDKs. The JavaScript SDK knows only the ports of the cloud, 5671 and 443.
	TLSAddresses []string

	// Hosts are further names and IP addresses for the certificate, beside localhost.
	Hosts []string

	// Populate fills a new namespace, at the start and after a restart without memory; nil leaves it empty.
	Populate func(*broker.Broker) error

	// Broker are the options of the namespace. Without keys it has RootKey.
	Broker broker.Options

	// Log gets what happens; nil discards it.
	Log *slog.Logger
}

// Server is a running emulator. Its methods may be called from any goroutine.
type Server struct {
	// immutable
	options     Options
	log         *slog.Logger
	containerID string
	certificate *certificate // nil without TLS
	faults      faults

	serving  sync.WaitGroup // connections, listeners, restarts
	restarts sync.Mutex     // one restart or end at a time; locked before mu

	mu sync.Mutex
	// mu guards
	web     *http.Server
	broker  *broker.Broker
	handler http.Handler // management of that broker
	doors   []*door
	conns   map[*conn]struct{}
	closed  bool
}

// door is a place where a server listens.
type door struct {
	kind     doorKind
	address  string       // once bound with the port it got, which it keeps over a restart
	listener net.Listener // nil while closed
}

type doorKind int

const (
	doorAMQP doorKind = iota
	doorHTTP
	doorTLS
)

func (k doorKind) String() string { return [...]string{"AMQP", "HTTP", "TLS"}[k] }

// Start makes a namespace and serves it until Close or Shutdown.
func Start(options Options) (*Server, error) {
	if options.Broker.Keys == nil {
		options.Broker.Keys = []broker.AuthorizationRule{RootKey}
	}
	s := &Server{
		options: options, log: options.Log, containerID: newMessageID(),
		conns: make(map[*conn]struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.doors = []*door{
		{kind: doorAMQP, address: orLoopback(options.AMQPAddress, DefaultAMQPPort)},
		{kind: doorHTTP, address: orLoopback(options.HTTPAddress, DefaultHTTPPort)},
	}
	for _, address := range options.TLSAddresses {
		s.doors = append(s.doors, &door{kind: doorTLS, address: address})
	}
	if err := s.populate(); err != nil {
		return nil, err
	}
	s.web = s.newWeb()
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func orLoopback(address string, port int) string {
	if address == "" {
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	return address
}

// populate makes a fresh namespace.
func (s *Server) populate() error {
	b := broker.New(s.options.Broker)
	if s.options.Populate != nil {
		if err := s.options.Populate(b); err != nil {
			b.Close()
			return fmt.Errorf("populate the namespace: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker = b
	s.handler = management.New(b, management.Options{Log: s.log})
	return nil
}

// Broker returns the namespace being served: the way to look at and change entities in-process. A restart without
// memory puts another in its place.
func (s *Server) Broker() *broker.Broker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broker
}

// listen opens the doors.
func (s *Server) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	var ports []int
	for _, d := range s.doors {
		listener, err := net.Listen("tcp", d.address)
		if err != nil {
			return fmt.Errorf("listen for %s on %s: %w", d.kind, d.address, err)
		}
		d.address, d.listener = listener.Addr().String(), listener
		if d.kind == doorTLS {
			ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
		}
	}
	if len(ports) > 0 && s.certificate == nil {
		var err error
		if s.certificate, err = newCertificate(ports, s.options.Hosts); err != nil {
			return err
		}
	}
	for _, d := range s.doors {
		listener := d.listener
		s.serving.Go(func() { s.accept(d.kind, listener) })
	}
	return nil
}

// accept is the goroutine of a listener. It ends when the listener is closed.
func (s *Server) accept(kind doorKind, listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.log.Error("accept", "door", kind.String(), "err", err)
			}
			return
		}
		s.serving.Go(func() { s.welcome(kind, nc) })
	}
}

// welcome finds out what a connection speaks, and serves it.
func (s *Server) welcome(kind doorKind, nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetNoDelay(true) // Go's default; said because without it each request and answer takes 40 ms
	}
	if kind == doorTLS {
		nc = tls.Server(nc, s.certificate.config())
	}
	peeked, isAMQP, err := sniff(nc)
	switch {
	case err != nil:
		s.log.Debug("a connection that said nothing", "door", kind.String(), "remote", nc.RemoteAddr().String(), "err", err)
		_ = nc.Close()
	case isAMQP:
		s.serveAMQP(peeked)
	default:
		s.serveHTTP(peeked)
	}
}

// serveAMQP runs one AMQP connection to its end.
func (s *Server) serveAMQP(nc net.Conn) {
	s.mu.Lock()
	if s.closed || s.broker == nil {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	c := newConn(s, s.broker, nc)
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	c.run()
}

// Close stops at once: connections break without a word. It returns when all goroutines have ended.
func (s *Server) Close() {
	s.stop(func(c *conn) { c.cut() })
	s.finish()
}

// Shutdown says goodbye to every connection, and stops when they are gone or ctx is done, whichever comes first. It
// returns ctx's error in the second case.
func (s *Server) Shutdown(ctx context.Context) error {
	goodbye := amqp.Errorf(amqp.CondConnectionForced, "The emulator is shutting down.")
	s.stop(func(c *conn) { c.shutdown(goodbye) })
	err := s.waitForConns(ctx)
	s.stop(func(c *conn) { c.cut() })
	s.finish()
	return err
}

// waitForConns waits until no connection is left.
func (s *Server) waitForConns(ctx context.Context) error {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for s.Connections() > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// stop closes the doors for good and does something to every connection.
func (s *Server) stop(each func(*conn)) {
	s.restarts.Lock()
	defer s.restarts.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.closeDoorsLocked(each)
}

func (s *Server) closeDoorsLocked(each func(*conn)) {
	for _, d := range s.doors {
		if d.listener != nil {
			_ = d.listener.Close()
			d.listener = nil
		}
	}
	for c := range s.conns {
		each(c)
	}
}

func (s *Server) finish() {
	s.mu.Lock()
	web := s.web
	s.mu.Unlock()
	_ = web.Close()
	s.serving.Wait()
	s.Broker().Close()
}

// Connections is how many AMQP connections there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// AMQPAddress is host and port of the plain AMQP door.
func (s *Server) AMQPAddress() string { return s.address(doorAMQP) }

// HTTPAddress is host and port of the plain management door.
func (s *Server) HTTPAddress() string { return s.address(doorHTTP) }

// TLSAddress is host and port of the first door with TLS, empty without one.
func (s *Server) TLSAddress() string { return s.address(doorTLS) }

func (s *Server) address(kind doorKind) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		if d.kind == kind {
			return d.address
		}
	}
	return ""
}

// ConnectionString is for clients of the SDKs that send and receive; the namespace's first key signs.
func (s *Server) ConnectionString() string { return s.connectionString(doorAMQP, true) }

// AdminConnectionString is for clients that manage entities, over HTTP. An SDK that always speaks https needs a
// transport that does not, or TLSConnectionString.
func (s *Server) AdminConnectionString() string { return s.connectionString(doorHTTP, true) }

// TLSConnectionString is for any client of the SDKs without the emulator's flag, as of a real namespace: AMQP,
// WebSocket and management on one port. The client must trust CA.
func (s *Server) TLSConnectionString() string { return s.connectionString(doorTLS, false) }

func (s *Server) connectionString(kind doorKind, development bool) string {
	_, port, err := net.SplitHostPort(s.address(kind))
	if err != nil {
		return ""
	}
	key := RootKey
	if keys := s.options.Broker.Keys; len(keys) > 0 {
		key = keys[0]
	}
	var b strings.Builder
	b.WriteString("Endpoint=sb://localhost")
	if kind != doorAMQP || port != fmt.Sprint(DefaultAMQPPort) {
		b.WriteString(":" + port)
	}
	if kind == doorTLS {
		b.WriteString("/")
	}
	fmt.Fprintf(&b, ";SharedAccessKeyName=%s;SharedAccessKey=%s", key.KeyName, key.PrimaryKey)
	if development {
		b.WriteString(";UseDevelopmentEmulator=true;")
	}
	return b.String()
}
