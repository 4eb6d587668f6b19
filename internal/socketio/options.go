package socketio

import (
	"log/slog"
	"time"
)

// Options bound what a client may do. The zero value works: where a field's comment names a default, zero means it.
type Options struct {
	// ConnectTimeout is how long a client may take to join its first namespace; 45 s. Its connection is closed an eighth of
	// that later.
	ConnectTimeout time.Duration
	// MaxDepth bounds how deep the JSON of a packet may be nested; 128, and at most 1,024.
	MaxDepth int
	// MaxArguments bounds the elements of an event's or acknowledgement's array, the event's name included; 1,000.
	MaxArguments int
	// MaxAttachments bounds the binary attachments of a packet; 10.
	MaxAttachments int
	// MaxPacketBytes bounds the text and the attachments of one binary packet together, which wait in memory until the last
	// is in; 4,000,000. Packets of text alone are bounded by what Engine.IO lets through.
	MaxPacketBytes int
	// MaxNamespaceLength bounds the name of a namespace, in bytes, up to a question mark; 128.
	MaxNamespaceLength int
	// MaxNamespaces bounds the namespaces that one client is in at once; 16. Further ones are refused.
	MaxNamespaces int
	// MaxPendingAcks bounds the acknowledgements that one socket owes; 1,000. EmitWithAck then returns ErrTooManyAcks.
	MaxPendingAcks int
	// Recovery lets clients of Socket.IO 4.6 and later come back after a lost connection as the socket they were, with what
	// they missed. nil: every connection is a new socket.
	Recovery Recovery
	// Logger takes panics of handlers (error), refusals by a middleware that are not a ConnectError (warn), and who joins
	// and leaves (debug); nil discards them.
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
	setDefault(&o.MaxPendingAcks, 1000)
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
