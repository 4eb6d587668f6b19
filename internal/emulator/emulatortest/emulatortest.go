// Package emulatortest starts Service Bus emulators for tests. Start listens on free ports and registers the clean-up.
// Tests may run in parallel, each with its own emulator.
package emulatortest

import (
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"chatapp/internal/emulator"
	"chatapp/internal/emulator/broker"
)

// Server is an emulator that is closed when its test ends. Its fault methods are those of [emulator.Server].
type Server struct {
	*emulator.Server
	tb testing.TB
}

// Option changes the options of a server before it starts.
type Option func(*emulator.Options)

// WithTLS adds a TLS listener: see [emulator.Server.TLSConnectionString] and [emulator.Server.CA].
func WithTLS() Option {
	return func(o *emulator.Options) { o.TLSAddresses = []string{"127.0.0.1:0"} }
}

// WithBroker sets the options of the namespace, such as its tier and keys.
func WithBroker(b broker.Options) Option {
	return func(o *emulator.Options) { o.Broker = b }
}

// WithLog writes the server's log, at debug level, to the output of the test.
func WithLog(tb testing.TB) Option {
	return func(o *emulator.Options) {
		o.Log = slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// Start starts an emulator with an empty namespace on free ports of the loopback interface. It is closed when the test
// ends, and all its goroutines with it.
func Start(tb testing.TB, options ...Option) *Server {
	tb.Helper()
	o := emulator.Options{AMQPAddress: "127.0.0.1:0", HTTPAddress: "127.0.0.1:0"}
	for _, option := range options {
		option(&o)
	}
	s, err := emulator.Start(o)
	if err != nil {
		tb.Fatalf("start the emulator: %v", err)
	}
	tb.Cleanup(s.Close)
	return &Server{Server: s, tb: tb}
}

// Queue creates a queue with the default description as modified by change, or fails the test.
func (s *Server) Queue(name string, change ...func(*broker.QueueDescription)) {
	s.tb.Helper()
	d := broker.DefaultQueue(name)
	for _, f := range change {
		f(&d)
	}
	if err := s.Broker().CreateQueue(d); err != nil {
		s.tb.Fatalf("create queue %q: %v", name, err)
	}
}

// Topic creates a topic and its subscriptions with default descriptions, or fails the test.
func (s *Server) Topic(name string, subscriptions ...string) {
	s.tb.Helper()
	if err := s.Broker().CreateTopic(broker.DefaultTopic(name)); err != nil {
		s.tb.Fatalf("create topic %q: %v", name, err)
	}
	for _, subscription := range subscriptions {
		s.Subscription(name, subscription)
	}
}

// Subscription creates a subscription with the default description as modified by change, or fails the test.
func (s *Server) Subscription(topic, name string, change ...func(*broker.SubscriptionDescription)) {
	s.tb.Helper()
	d := broker.DefaultSubscription(topic, name)
	for _, f := range change {
		f(&d)
	}
	if err := s.Broker().CreateSubscription(d); err != nil {
		s.tb.Fatalf("create subscription %q of %q: %v", name, topic, err)
	}
}

// AdminTransport returns a transport for azservicebus/admin, which always uses https: it sends the requests to the HTTP
// listener. Use it as the Transport of azcore.ClientOptions, together with AdminConnectionString.
func (s *Server) AdminTransport() *Transport {
	s.tb.Helper()
	t := &Transport{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	s.tb.Cleanup(t.client.CloseIdleConnections)
	return t
}

// Transport sends requests for https URLs over http.
type Transport struct{ client *http.Client }

// Do sends a request and returns the response, whose body the caller closes.
func (t *Transport) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath,
		RawQuery: r.URL.RawQuery}
	return t.client.Do(r) // #nosec G704 -- a test says where to
}
