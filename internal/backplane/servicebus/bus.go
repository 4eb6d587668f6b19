package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/backplane"
)

// Deadlines of calls to Service Bus. A Publish has its caller's.
const (
	manageTimeout   = 15 * time.Second
	peekTimeout     = 5 * time.Second
	completeTimeout = 10 * time.Second
	closeTimeout    = 5 * time.Second
)

// Bus is one instance's way to the topic. New checks settings, Open makes the subscription, and then it is a [backplane.Bus].
type Bus struct {
	// Immutable.
	options  Options
	endpoint endpoint
	instance string
	own      bool // the subscription is this instance's own
	admin    *admin.Client
	idle     func() // closes idle connections of management

	meter   meter
	closing sync.WaitGroup

	mu sync.Mutex
	// mu guards
	waiting waiting
	sending *sending
	remains bool // perhaps, of the instance, when it has ended: its subscription, whose making was not refused
	closed  bool

	// Owned by Open, then by Receive.
	sequence sequence
	refused  map[int64]error // why deliver refused the messages with these sequence numbers; maxRefused at most
	lost     bool            // the subscription, and it is not known whether there is another
}

// New checks the settings and names the instance; it talks to nobody. An error means that the settings can't work.
func New(o Options) (*Bus, error) {
	o.setDefaults()
	e, err := parseEndpoint(&o)
	if err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	b := &Bus{options: o, endpoint: e, instance: instanceName(o.Name), own: o.Subscription == ""}
	if b.own {
		b.options.Subscription = b.instance
	}
	b.waiting.set("not opened yet")
	if err := b.connectAdmin(); err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	if err := b.tryClient(); err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	return b, nil
}

// connectAdmin makes the client of management. It keeps connections of its own, so that Close can end them.
func (b *Bus) connectAdmin() error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	b.idle = transport.CloseIdleConnections
	var sender policy.Transporter = &http.Client{Transport: transport}
	if b.endpoint.emulator {
		sender = plainHTTP{sender}
	}
	options := &admin.ClientOptions{ClientOptions: azcore.ClientOptions{Transport: sender}}
	var err error
	if b.endpoint.administering != "" {
		b.admin, err = admin.NewClientFromConnectionString(b.endpoint.administering, options)
		return err
	}
	if b.options.Credential == nil {
		if b.options.Credential, err = azidentity.NewDefaultAzureCredential(nil); err != nil {
			return err
		}
	}
	b.admin, err = admin.NewClient(b.endpoint.host, b.options.Credential, options)
	return err
}

// plainHTTP sends over HTTP what the SDK's management client meant for HTTPS, the only thing it speaks: emulators have no certificate.
type plainHTTP struct{ next policy.Transporter }

func (p plainHTTP) Do(r *http.Request) (*http.Response, error) {
	plain := r.Clone(r.Context())
	plain.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	return p.next.Do(plain)
}

// newClient makes a client, which dials at its first use. It tries nothing twice: who calls knows better when, and with what.
func (b *Bus) newClient() (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}}
	if b.options.ConnectionString != "" {
		return azservicebus.NewClientFromConnectionString(b.options.ConnectionString, options)
	}
	return azservicebus.NewClient(b.endpoint.host, b.options.Credential, options)
}

// tryClient finds out whether the SDK understands the settings.
func (b *Bus) tryClient() error {
	client, err := b.newClient()
	if err != nil {
		return err
	}
	b.discard(client)
	return nil
}

// discard closes a client in the background: the SDK can take long to close a connection that is broken.
func (b *Bus) discard(client *azservicebus.Client) {
	b.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			b.options.Logger.Debug("service bus client not closed in order", "err", err)
		}
	})
}

// Instance is this instance's name, which is the name of its own subscription, too.
func (b *Bus) Instance() string { return b.instance }

// maxBody is what a message may carry in the Standard tier, whose messages have 256 KiB, less what the SDK adds to it.
const maxBody = 250 << 10

// MaxBody is the length in bytes of the largest body that Publish takes.
func (b *Bus) MaxBody() int { return maxBody }

// Close removes the own subscription and closes what is open, and waits for that as long as ctx lasts. Publish fails from then on, also where
// it is under way. Close may be called again, but not while Open or Receive runs.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.sending != nil {
		b.discard(b.sending.client)
		b.sending = nil
	}
	b.closed = true // so nothing is discarded from here on
	remains := b.remains
	b.mu.Unlock()
	var err error
	if remains {
		err = b.Evict(ctx, b.instance)
	}
	discarded := make(chan struct{})
	go func() {
		defer close(discarded)
		b.closing.Wait()
	}()
	select {
	case <-discarded:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("close connections to service bus: %w", ctx.Err()))
	}
	b.idle()
	return err
}

var errBusClosed = errors.New("bus is closed")

var (
	_ backplane.Bus         = (*Bus)(nil)
	_ backplane.Evictor     = (*Bus)(nil)
	_ backplane.LoneChecker = (*Bus)(nil)
)
