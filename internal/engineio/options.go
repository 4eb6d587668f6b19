package engineio

import (
	"log/slog"
	"net/netip"
	"time"
)

// Options are the limits and habits of a [Server]. The zero value works: where a field's comment names a default, zero means it.
type Options struct {
	// PingInterval is how long after the last sign of life a client is pinged; 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a client has to answer a ping; 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket has to probe and take over a polling session; 10 s.
	UpgradeTimeout time.Duration
	// RequestTimeout is how long a polling request's body may take to arrive, and a response to be taken; 30 s.
	RequestTimeout time.Duration
	// CloseTimeout is how long a closed session waits for its client to fetch what is left, to answer the closing handshake or
	// to take what was written; 5 s.
	CloseTimeout time.Duration
	// MaxMessageSize bounds a received message and a polling request's body, in bytes; 1,000,000. Clients are told it as
	// maxPayload.
	MaxMessageSize int
	// MaxQueueBytes bounds what waits to be sent to one client, in bytes of memory: a message counts about 200 more than its data;
	// 4 MiB. A session over it is closed with ErrSlowConsumer. One message larger than that may still be sent where nothing else waits.
	MaxQueueBytes int
	// MaxSessions and MaxSessionsPerAddress bound the sessions open at once, in all and from one client address; 0 means
	// no limit. Clients above are answered 503 and 429. All IPv6 addresses of one /64 count as one address, since a single
	// client has as many; an IPv4 address is the same one mapped into IPv6.
	MaxSessions, MaxSessionsPerAddress int
	// AllowedOrigins are the browser origins let in besides the server's own, such as https://example.com; "*" is any.
	// Requests without an Origin header do not come from a browser's page and are always let in.
	AllowedOrigins []string
	// TrustedProxies are the peers whose X-Forwarded-For and -Host headers are believed.
	TrustedProxies []netip.Prefix
	// Protocol3 lets clients of Engine.IO 3 in, which Socket.IO 2.x clients speak.
	Protocol3 bool
	// Logger takes debug lines of sessions opened and closed; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PingTimeout, 20*time.Second)
	setDefault(&o.UpgradeTimeout, 10*time.Second)
	setDefault(&o.RequestTimeout, 30*time.Second)
	setDefault(&o.CloseTimeout, 5*time.Second)
	setDefault(&o.MaxMessageSize, 1_000_000)
	setDefault(&o.MaxQueueBytes, 4<<20)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
