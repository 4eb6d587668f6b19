package emulator

import (
	"context"
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

// The ports of Microsoft's emulator, which are the defaults of this one.
const (
	DefaultAMQPPort = 5672
	DefaultHTTPPort = 5300
)

// RootKey is the key of Microsoft's emulator. A namespace accepts only it unless Options.Broker names other keys.
var RootKey = broker.AuthorizationRule{KeyName: "RootManageSharedAccessKey", PrimaryKey: "SAS_KEY_VALUE",
	Claims: broker.Manage}

// Options of a [Server].
type Options struct {
	// AMQPAddress and HTTPAddress are the addresses to listen on without TLS, such as "127.0.0.1:5672".
	// Port 0 takes a free port. An empty address means the default port on loopback.
	AMQPAddress, HTTPAddress string

	// TLSAddresses are the addresses to listen on with TLS; none by default. Each serves AMQP, AMQP over
	// WebSocket and management. One is enough for most SDKs. The JavaScript SDK connects to the ports of the
	// real service only, 5671 and 443.
	TLSAddresses []string

	// Hosts are names and IP addresses to put into the certificate beside localhost. HTTP and WebSocket requests
	// for another name are refused; those for localhost or any IP address are served.
	Hosts []string

	// Origins are the origins, like "https://app.example", whose web pages may send requests. Pages of the
	// server's own host and port may always; requests without an Origin do not come from web pages.
	Origins []string

	// Data is a folder that keeps the namespace, so that it survives the end of the process, even by SIGKILL; it
	// is made if there is none. Empty means that the namespace is kept in memory alone. With DataSync it survives
	// a crash of the machine as well: every answer then waits for the disk.
	Data     string
	DataSync bool

	dataFault func(step, file string) error // tests set it

	// Populate fills the namespace: at the start, whatever Data had before, and in RestartEmpty. Nil leaves it as
	// it is.
	Populate func(*broker.Broker) error

	// Broker configures the namespace. Without keys it accepts RootKey.
	Broker broker.Options

	// Log receives one record per refused link, failed connection and error. Nil discards them.
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
	restarts sync.Mutex     // serializes restarts and the stop; locked before mu

	mu sync.Mutex
	// mu guards
	httpServer *http.Server
	broker     *broker.Broker
	handler    http.Handler // management of that broker
	listeners  []*listener
	conns      map[*conn]struct{}
	closed     bool
}

// Start creates a namespace and serves it on every address of options until Close or Shutdown.
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
	s.listeners = []*listener{
		{kind: listenAMQP, address: addressOrDefault(options.AMQPAddress, DefaultAMQPPort)},
		{kind: listenHTTP, address: addressOrDefault(options.HTTPAddress, DefaultHTTPPort)},
	}
	for _, address := range options.TLSAddresses {
		s.listeners = append(s.listeners, &listener{kind: listenTLS, address: address})
	}
	if err := s.populate(); err != nil {
		return nil, err
	}
	s.httpServer = s.newHTTPServer()
	if err := s.listen(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func addressOrDefault(address string, port int) string {
	if address == "" {
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	return address
}

// populate creates the namespace and makes it the one being served.
func (s *Server) populate() error {
	b, err := s.openBroker()
	if err != nil {
		return err
	}
	if s.options.Populate != nil {
		if err := s.options.Populate(b); err != nil {
			b.Close()
			return fmt.Errorf("populate the namespace: %w", err)
		}
	}
	if err := b.Sync(); err != nil {
		b.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broker = b
	s.handler = management.New(b, management.Options{Log: s.log})
	return nil
}

func (s *Server) openBroker() (*broker.Broker, error) {
	if s.options.Data == "" {
		return broker.New(s.options.Broker), nil
	}
	return broker.Open(s.options.Broker, broker.Storage{Dir: s.options.Data, Sync: s.options.DataSync,
		Codec: dataCodec{}, Log: s.log, Fault: s.options.dataFault})
}

// Broker returns the namespace being served, through which a program inspects and changes entities in-process.
// RestartEmpty replaces it by another.
func (s *Server) Broker() *broker.Broker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broker
}

// serveAMQP serves one AMQP connection and returns when it has ended.
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

// Close stops the server at once. Clients see their connections break, without a close frame. Close returns when all
// goroutines of the server have ended.
func (s *Server) Close() {
	s.stop(func(c *conn) { c.abort() })
	s.finish()
}

// Shutdown closes every connection with the condition amqp:connection:forced. It stops the server when all of them
// have ended, or when ctx is done, in which case it breaks the rest and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	reason := amqp.Errorf(amqp.CondConnectionForced, "The emulator is shutting down.")
	s.stop(func(c *conn) { c.shutdown(reason) })
	err := s.waitForConns(ctx)
	s.stop(func(c *conn) { c.abort() })
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

// stop closes the listeners for good and calls each for every connection.
func (s *Server) stop(each func(*conn)) {
	s.restarts.Lock()
	defer s.restarts.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.closeListenersLocked(each)
}

func (s *Server) finish() {
	s.mu.Lock()
	web := s.httpServer
	s.mu.Unlock()
	_ = web.Close()
	s.serving.Wait()
	s.Broker().Close()
}

// Connections returns the number of AMQP connections, those over WebSocket included.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// ConnectionString returns a connection string for SDK clients that send and receive. It holds the first key of the
// namespace.
func (s *Server) ConnectionString() string { return s.connectionString(listenAMQP, true) }

// AdminConnectionString returns a connection string for SDK clients that manage entities, over HTTP. An SDK that
// always uses https needs a transport that rewrites its requests, or TLSConnectionString.
func (s *Server) AdminConnectionString() string { return s.connectionString(listenHTTP, true) }

// TLSConnectionString returns a connection string like that of a real namespace, without UseDevelopmentEmulator. It
// serves AMQP, AMQP over WebSocket and management on one port. The client must trust CA.
func (s *Server) TLSConnectionString() string { return s.connectionString(listenTLS, false) }

func (s *Server) connectionString(kind listenerKind, development bool) string {
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
	if kind != listenAMQP || port != fmt.Sprint(DefaultAMQPPort) {
		b.WriteString(":" + port)
	}
	if kind == listenTLS {
		b.WriteString("/")
	}
	fmt.Fprintf(&b, ";SharedAccessKeyName=%s;SharedAccessKey=%s", key.KeyName, key.PrimaryKey)
	if development {
		b.WriteString(";UseDevelopmentEmulator=true;")
	}
	return b.String()
}
