package engineio

import (
	"log/slog"
	"net/netip"
	"time"

	"chatapp/internal/allowance"
	"chatapp/internal/tokenbucket"
)

// Options configure a [Server]. The zero value works: zero means the default that a field's comment
// names.
type Options struct {
	// PingInterval is the time from the last sign of life to a ping; default 25 s.
	PingInterval time.Duration
	// PingTimeout is the time a client has to answer a ping; default 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is the time a WebSocket has to probe and take over a polling session; default
	// 10 s.
	UpgradeTimeout time.Duration
	// RequestTimeout is the time a polling request's body may take to arrive, and the client to
	// take a response; default 30 s.
	RequestTimeout time.Duration
	// CloseTimeout is the time a closed session waits for its client to poll for the rest, to
	// answer the closing handshake or to take what was written; default 5 s.
	CloseTimeout time.Duration
	// MaxMessageSize bounds a received message and a polling request's body, in bytes; default
	// 1,000,000. Clients receive it as maxPayload.
	MaxMessageSize int
	// MaxQueueBytes bounds what waits to be sent to one client, in bytes of memory: a message
	// counts about 200 more than its data; default 16 MiB. A session over it is closed with
	// ErrSlowConsumer. A larger message may be sent if nothing else waits.
	MaxQueueBytes int
	// MaxQueuedBytes bounds what waits to be sent to all clients together; 0 means no limit. A message to many counts
	// once. Above it, sessions are closed with ErrSlowConsumer, those first for which most waits.
	MaxQueuedBytes int
	// Headers are the names of the header fields that a [Handshake] keeps, in canonical form; nil: all. They stay in
	// memory as long as the session.
	Headers []string
	// MaxSessions and MaxSessionsPerAddress bound the sessions open at once, in all and from one
	// client address; 0 means no limit. Clients above them receive 503 and 429. All IPv6 addresses
	// of one /64 count as one address, since a single client has as many; an IPv4 address is the
	// same one mapped into IPv6.
	MaxSessions, MaxSessionsPerAddress int
	// Addresses has the allowances of client addresses: for connecting, for data received and for refusals, and others
	// for the handler. nil: there are none. A client behind a proxy that is not trusted has none.
	Addresses *allowance.Table
	// Frames and Refusals limit what one session may send: packets, and packets or requests that are refused. The zero
	// Limit limits nothing. See [Session.Refused].
	Frames, Refusals tokenbucket.Limit
	// AllowedOrigins are the browser origins that are let in besides the server's own, such as
	// https://example.com or, with all its subdomains but without itself, https://*.example.com;
	// "*" is any. "null" and "file://" are the origins of pages without a host, as in Cordova and
	// Electron; any sandboxed page has null. Those that CheckOrigin refuses match nothing. Requests
	// without an Origin header don't come from a browser's page. They are always let in.
	AllowedOrigins []string
	// TrustedProxies are the peers whose X-Forwarded-For and -Host headers are believed.
	TrustedProxies []netip.Prefix
	// RequiredHeaders are header fields that a trusted proxy sets after it has signed somebody in. A request that opens
	// a session without one of them, or from a peer that is no trusted proxy, receives 401.
	RequiredHeaders []string
	// Protocol3 lets clients of Engine.IO 3 in, which are those of Socket.IO 2.x.
	Protocol3 bool
	// Audit is called with what is done to a client, and its address, where that is worth a trace: it was refused, or
	// closed because of what it did. It must be quick. nil: nothing is.
	Audit func(what, remote string)
	// Logger receives a debug line for each session opened and closed; nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PingTimeout, 20*time.Second)
	setDefault(&o.UpgradeTimeout, 10*time.Second)
	setDefault(&o.RequestTimeout, 30*time.Second)
	setDefault(&o.CloseTimeout, 5*time.Second)
	setDefault(&o.MaxMessageSize, 1_000_000)
	setDefault(&o.MaxQueueBytes, 16<<20)
	if o.Audit == nil {
		o.Audit = func(string, string) {}
	}
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
