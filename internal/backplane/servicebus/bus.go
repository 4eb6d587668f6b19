package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"chatapp/internal/backplane"
)

// Deadlines of calls to Service Bus. Publish has its caller's.
const (
	manageTimeout   = 15 * time.Second
	peekTimeout     = 5 * time.Second
	completeTimeout = 10 * time.Second
	closeTimeout    = 5 * time.Second
)

// Bus is one instance's access to the topic, a [backplane.Bus]. New checks the settings; Open
// creates the subscription and must return before Publish and Receive are called.
type Bus struct {
	// Immutable.
	options         Options
	endpoint        endpoint
	instance        string
	ownSubscription bool // the subscription was created for this instance
	admin           *admin.Client
	idle            func() // closes idle management connections

	meter   meter
	sharing sharing

	queueReady atomic.Bool // the queue exists
	closing    sync.WaitGroup

	mu sync.Mutex
	// mu guards
	waiting   waiting
	sendLinks [targets]*sendLink
	mayRemain bool // the subscription may exist, so Close deletes it: its creation was not refused
	closed    bool

	// Owned by Open, then by Receive.
	sequence sequence
	refused  map[int64]error // why deliver refused the messages with these sequence numbers; maxRefused at most
	lost     bool            // the subscription was deleted, and it is not known to be created again
}

// New checks the settings and names the instance. It opens no connection. An error means that the
// settings can't work.
func New(o Options) (*Bus, error) {
	o.setDefaults()
	e, err := parseEndpoint(&o)
	if err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	b := &Bus{options: o, endpoint: e, instance: instanceName(o.Name), ownSubscription: o.Subscription == ""}
	if b.ownSubscription {
		b.options.Subscription = b.instance
	}
	if !b.ownSubscription {
		b.sharing = sharing{instance: b.instance, subscription: o.Subscription, log: o.Logger}
	}
	b.waiting.set("not opened yet")
	if err := b.connectAdmin(); err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	if err := b.checkClient(); err != nil {
		return nil, fmt.Errorf("service bus settings: %w", err)
	}
	return b, nil
}

// connectAdmin creates the management client. Its HTTP connections are its own, so that Close can
// end them.
func (b *Bus) connectAdmin() error {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	b.idle = transport.CloseIdleConnections
	var sender policy.Transporter = &http.Client{Transport: transport}
	if b.endpoint.emulator {
		sender = httpTransport{sender}
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

// httpTransport sends over HTTP the requests that the SDK addresses to HTTPS, its only scheme:
// emulators have no certificate.
type httpTransport struct{ next policy.Transporter }

func (p httpTransport) Do(r *http.Request) (*http.Response, error) {
	plain := r.Clone(r.Context())
	u := r.URL
	plain.URL = &url.URL{
		Scheme: "http", Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery,
	}
	return p.next.Do(plain)
}

// newClient creates a client, which dials when it is first used. It turns off the SDK's retries:
// the callers know better when to try again, and on which connection.
func (b *Bus) newClient() (*azservicebus.Client, error) {
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{MaxRetries: -1}}
	if b.options.ConnectionString != "" {
		return azservicebus.NewClientFromConnectionString(b.options.ConnectionString, options)
	}
	return azservicebus.NewClient(b.endpoint.host, b.options.Credential, options)
}

// checkClient checks that the SDK accepts the settings.
func (b *Bus) checkClient() error {
	client, err := b.newClient()
	if err != nil {
		return err
	}
	b.discard(client)
	return nil
}

// discard closes a client in the background, because the SDK can take long to close a broken
// connection.
func (b *Bus) discard(client *azservicebus.Client) {
	b.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			b.options.Logger.Debug("service bus client not closed in order", "err", err)
		}
	})
}

// Instance returns the instance's name, which is also the name of its own subscription.
func (b *Bus) Instance() string { return b.instance }

// maxBody is the limit of a message in the Standard tier, 256 KiB, less room for what the SDK adds.
const maxBody = 250 << 10

// MaxBody returns the length in bytes of the largest body that Publish accepts.
func (b *Bus) MaxBody() int { return maxBody }

// Close removes the instance's own subscription, closes all connections, and waits for that as long
// as ctx lasts. A Publish under way and all later ones fail. Close may be called again, but not
// while Open or Receive runs.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	for to, s := range b.sendLinks {
		if s != nil {
			b.discard(s.client)
			b.sendLinks[to] = nil
		}
	}
	b.closed = true // so nothing is discarded from here on
	mayRemain := b.mayRemain
	b.mu.Unlock()
	var err error
	if mayRemain {
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
	_ backplane.Lister      = (*Bus)(nil)
	_ backplane.LoneChecker = (*Bus)(nil)
	_ backplane.Gatherer    = (*Bus)(nil)
	_ backplane.Multicaster = (*Bus)(nil)
)
