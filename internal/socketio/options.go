package socketio

import (
	"log/slog"
	"time"
)

// Options bound what a client may do. The zero value works: a zero field means the default that its
// comment names.
type Options struct {
	// ConnectTimeout is the time in which a client must join its first namespace; default 45 s. The
	// server closes the connection an eighth later than that.
	ConnectTimeout time.Duration
	// MaxDepth bounds the nesting of a packet's JSON; default 128, at most 1,024.
	MaxDepth int
	// MaxArguments bounds the elements of an event's or acknowledgement's array, including the event's
	// name; default 1,000.
	MaxArguments int
	// MaxAttachments bounds the binary attachments of a packet; default 10.
	MaxAttachments int
	// MaxPacketBytes bounds the sum of a binary packet's text and attachments, which stay in memory
	// until the last has arrived; default 4,000,000. The Engine.IO server bounds packets without
	// attachments.
	MaxPacketBytes int
	// MaxNamespaceLength bounds the bytes of a namespace's name, without a query string; default 128.
	MaxNamespaceLength int
	// MaxNamespaces bounds the namespaces that one client is in at the same time; default 16.
	MaxNamespaces int
	// Recovery lets clients of Socket.IO 4.6 and later, and raw WebSockets, continue with the socket
	// they had after their connection was lost. nil: every connection is a new socket.
	Recovery Recovery
	// Logger receives panics of handlers (error), and sockets that join and leave and refused packets
	// (debug); nil discards them.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.ConnectTimeout, 45*time.Second)
	setDefault(&o.MaxDepth, 128)
	o.MaxDepth = min(o.MaxDepth, deepest)
	setDefault(&o.MaxArguments, 1000)
	setDefault(&o.MaxAttachments, 10)
	setDefault(&o.MaxPacketBytes, 4_000_000)
	setDefault(&o.MaxNamespaceLength, 128)
	setDefault(&o.MaxNamespaces, 16)
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

func (o *Options) limits() limits {
	return limits{
		depth:       o.MaxDepth,
		arguments:   o.MaxArguments,
		attachments: o.MaxAttachments,
		packetBytes: o.MaxPacketBytes,
		namespace:   o.MaxNamespaceLength,
	}
}
