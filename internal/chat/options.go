package chat

import (
	"log/slog"
	"time"

	"chatapp/internal/chat/state"
	"chatapp/internal/socketio"
	"chatapp/internal/store"
)

// Options adjust what this instance lets its own users do. The zero value works. They may differ between instances:
// nothing that the state holds depends on them, apart from Bounds and Retention.
type Options struct {
	MaxMessageLength  int     // grapheme clusters in a message; 0: 4,000; negative: as many as MaxMessageBytes hold
	MaxMessageBytes   int     // bytes in a message, in UTF-8; 0: 16 KiB; at most state.MaxText
	MaxNicknameLength int     // grapheme clusters in a nickname or a room's name; 0: 32
	MessageRate       float64 // messages per second and user, in bursts of twice that; 0: 5; negative: no limit
	MaxRooms          int     // rooms of a user, the lobby included; 0: 16

	// NameHold is how long a user whose connection was lost keeps its nickname; CleanHold is the same after a clean
	// close, at most NameHold.
	NameHold  time.Duration // 0: 30 s; negative: not at all
	CleanHold time.Duration // 0: 5 s; negative: not at all

	// Clean reports whether the reason given to OnDisconnect is a clean close, such as a closed tab or a reload, rather
	// than a lost connection. Nil: it never is.
	Clean func(reason error) bool

	// SignedIn returns the person that a proxy in front of this server has signed in, by the request that opened the
	// socket's connection, for example with Entra ID; without a subject if none has. The user is given the person's
	// name at once and can't choose another. Nil: everybody chooses.
	SignedIn func(*socketio.Socket) Person

	// Retention is how long lines are kept; 0: as long as there is room. As with Bounds, that of the oldest instance
	// counts for all.
	Retention time.Duration

	HistoryOnJoin int // lines that a client receives when it enters a room; 0: 100

	// Bounds limit the replicated state. Those of the oldest instance in the cluster count for all: it has the log
	// change them. Bounds.AddressKey should be random; that of the instance which has begun the log stays.
	Bounds Bounds

	// Observe receives the time that each message of this instance took to come back from the log. It is called with
	// the chat's lock held, so it must be quick and must not call the chat. Nil: nothing does.
	Observe func(latency time.Duration)

	// Trace begins the span of an event that a client has sent. Nil: nothing is traced. Its spans' methods may be
	// called with the chat's lock held, so they must be quick and must not call the chat.
	Trace func(s *socketio.Socket, event string) Span

	// Recorded is called by Apply and its siblings with the lines that an entry has led to, ascending and complete, for
	// a store. It is called with the chat's lock held and before anybody is replied to. It may keep the lines, must be
	// quick and must not call the chat. Nil: lines are not encoded.
	Recorded func(lines []store.Line)

	// Audit is called with what a client has done, its address and its nickname, where that is worth a trace. It is
	// called with the chat's lock held, so it must be quick and must not call the chat. Nil: nothing is.
	Audit func(what, remote, user string)

	Logger *slog.Logger // nil: discards
}

// Bounds limit the replicated state.
type Bounds = state.Bounds

// maxHold is the longest hold time that a command may carry.
const maxHold = state.MaxHoldMillis * time.Millisecond

func orDefault[T int | float64 | time.Duration](value *T, otherwise T) {
	switch {
	case *value == 0:
		*value = otherwise
	case *value < 0:
		*value = -1
	}
}

func (o *Options) setDefaults() {
	orDefault(&o.MaxMessageLength, 4000)
	orDefault(&o.MaxMessageBytes, 16<<10)
	o.MaxMessageBytes = min(max(o.MaxMessageBytes, 1), state.MaxText)
	orDefault(&o.MaxNicknameLength, 32)
	orDefault(&o.MessageRate, 5)
	orDefault(&o.MaxRooms, 16)
	orDefault(&o.NameHold, 30*time.Second)
	orDefault(&o.CleanHold, 5*time.Second)
	o.NameHold = min(max(o.NameHold, 0), maxHold)
	o.CleanHold = min(max(o.CleanHold, 0), o.NameHold)
	orDefault(&o.HistoryOnJoin, 100)
	if o.Clean == nil {
		o.Clean = func(error) bool { return false }
	}
	if o.Observe == nil {
		o.Observe = func(time.Duration) {}
	}
	if o.Audit == nil {
		o.Audit = func(string, string, string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
