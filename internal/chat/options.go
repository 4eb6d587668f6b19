package chat

import (
	"log/slog"
	"time"

	"chatapp/internal/socketio"
)

// Options adjust what this instance lets its own users do; the zero value works. They may differ between instances,
// for nothing that Apply does depends on them.
type Options struct {
	MaxMessageLength  int     // grapheme clusters in a message; 0: 4,000; negative: as many as maxText bytes hold
	MaxNicknameLength int     // grapheme clusters in a nickname or a room's name; 0: 32
	MessageRate       float64 // messages a second and user, in bursts of twice that; 0: 5; negative: no limit
	MaxRooms          int     // rooms of one user, the lobby included; 0: 16

	NameHold  time.Duration // how long a user whose connection was lost is held; 0: 30 s; negative: not at all
	CleanHold time.Duration // the same after a clean close, at most NameHold; 0: 5 s; negative: not at all

	// Clean tells whether the reason given to OnDisconnect is a clean close, such as a closed tab or a reload,
	// rather than a lost connection. Nil: none is.
	Clean func(reason error) bool

	// SignedIn tells the name of the person whom something in front of this server has signed in, such as Entra ID, by the request
	// that opened the socket's connection; "" where there is none. That person is given the name at once and can't choose
	// another. Nil: everybody chooses.
	SignedIn func(*socketio.Socket) string

	HistoryOnJoin int // lines sent to whoever joins a room; 0: 100

	// Bounds of the replicated state. They are used by the instance that founds the log; the others take them over
	// with its state. Zero fields take their defaults.
	Bounds Bounds

	// Observe is given the time that each message of this instance took to come back from the log. It is called with
	// the chat's lock held and must be quick. Nil: nobody is.
	Observe func(latency time.Duration)

	Logger *slog.Logger // nil: discards
}

// Bounds limit the replicated state. They are part of it, so that all instances apply the same.
type Bounds struct {
	RoomLines    int           // lines kept of a room; 1,000
	HistoryBytes int           // of the lines of all rooms; 16 MiB
	Rooms        int           // 1,000; beyond, the room longest empty makes place
	Users        int           // with a name at once; 100,000
	Remembered   int           // messages whose repetition is noticed; 8,192
	Lapsed       int           // users without a name who may still come back; 4,096
	Recovery     time.Duration // how long after his name was freed one may; 2 min
}

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
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Bounds.setDefaults()
}

func (b *Bounds) setDefaults() {
	orDefault(&b.RoomLines, 1000)
	orDefault(&b.HistoryBytes, 16<<20)
	orDefault(&b.Rooms, 1000)
	orDefault(&b.Users, 100_000)
	orDefault(&b.Remembered, 8192)
	orDefault(&b.Lapsed, 4096)
	orDefault(&b.Recovery, 2*time.Minute)
}
