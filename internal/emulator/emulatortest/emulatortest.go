// Package emulatortest starts Service Bus emulators for tests: one call, free ports, clean-up registered. Tests may
// run in parallel, each with an emulator of its own.
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

// Server is an emulator that ends with its test. The fault methods are those of [emulator.Server].
type Server struct {
	*emulator.Server
	tb testing.TB
}

// Option changes how a server is started.
type Option func(*emulator.Options)

// WithTLS opens the door with TLS as well: see [emulator.Server.TLSConnectionString] and [emulator.Server.CA].
func WithTLS() Option {
	return func(o *emulator.Options) { o.TLSAddresses = []string{"127.0.0.1:0"} }
}

// WithBroker sets the options of the namespace.
func WithBroker(b broker.Options) Option {
	return func(o *emulator.Options) { o.Broker = b }
}

// WithLog writes what happens to the test's output.
func WithLog(tb testing.TB) Option {
	return func(o *emulator.Options) {
		o.Log = slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// Start starts an emulator with an empty namespace on free ports of the loopback interface. It is closed, and all its
// goroutines have ended, when the test is over.
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

// Queue creates a queue, after the given changes to its default description.
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

// Topic creates a topic with the given subscriptions, all with default descriptions.
func (s *Server) Topic(name string, subscriptions ...string) {
	s.tb.Helper()
	if err := s.Broker().CreateTopic(broker.DefaultTopic(name)); err != nil {
		s.tb.Fatalf("create topic %q: %v", name, err)
	}
	for _, subscription := range subscriptions {
		s.Subscription(name, subscription)
	}
}

// Subscription creates a subscription, after the given changes to its default description.
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

// AdminTransport is for azservicebus/admin, which always speaks https: requests go to the plain door. Use it as the
// Transport of azcore.ClientOptions, together with AdminConnectionString.
func (s *Server) AdminTransport() *Transport {
	s.tb.Helper()
	t := &Transport{client: &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	s.tb.Cleanup(t.client.CloseIdleConnections)
	return t
}

// Transport sends requests over http that were meant for https.
type Transport struct{ client *http.Client }

// Do sends a request.
func (t *Transport) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	return t.client.Do(r)
}
