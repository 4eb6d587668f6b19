package backplane

import (
	"log/slog"
	"math"
	"time"
)

// Options adjust a Node. The zero value works; zero fields take the defaults named.
type Options struct {
	Local    Local        // nil: no calls are made
	Observer Observer     // for histograms
	Archived bool         // the bus keeps what is published to all in an archive, which costs credits
	Recorder Recorder     // keeps what is accepted, for a later process; nil: nothing does
	Rules    uint64       // newest version of the state machine's rules that this build knows; 0 means 1
	Logger   *slog.Logger // nil: discards

	// Wall returns what this machine's clock says at now, a time of package time. Nil: now itself. Tests set clocks
	// wrong with it.
	Wall func(now time.Time) time.Time

	// Connected reports whether a client is connected to this instance. While one is connected to any
	// instance, failures are found within seconds; otherwise within minutes, which costs less. It is
	// called four times a second and must be quick. Nil: no client ever is.
	Connected func() bool

	Limits
	Timing
}

// Limits bound what a Node keeps and sends.
type Limits struct {
	// Append returns ErrFull for an entry above the first two. So does AppendFor for an account that would have more
	// waiting than is left.
	MaxWaiting      int // own entries not yet back from the log; 65,536
	MaxWaitingBytes int // their bodies' bytes; 16 MiB
	MaxEntry        int // bytes of one body, above which Append returns ErrTooLarge; 64 KiB, less if the bus takes less
	MaxSnapshot     int // bytes, compressed; a longer one is neither sent nor taken; 512 MiB
	MaxState        int // bytes of the state in a snapshot, likewise; 2 GiB - 1
	MaxBuffered     int // bytes of log kept while a snapshot is awaited; beyond, it is requested again; 32 MiB

	// MaxKept is about how many bytes of own entries are kept after the log has accepted them. If the instance must
	// join again and the cluster turns out not to have them, only they bring back what was acknowledged. An instance
	// that can have no other beside it needs none, and sets 1; 64 MiB.
	MaxKept int

	// Credits is how many of Service Bus's credits a second all instances together spend on the log.
	// Beyond it batches grow; entries one after the other don't wait. Snapshots have 70 more, and what
	// the log leaves. 0: as many as the bus takes.
	Credits float64

	// CombineFrom is from how many instances on the cluster gathers its batches on a Gatherer: then it saves more to
	// send one message for all than the way through the queue costs; 7. It goes on until there are two fewer.
	CombineFrom int
}

// Timing says when a Node acts. Shorter times find failures sooner, and cost more messages.
type Timing struct {
	ProvisionalAfter    time.Duration // own entry not back: Local.Provisional, CutOff; 1.5 s
	NotReadyAfter       time.Duration // cut off this long: not ready; 8 s
	ResendAfter         time.Duration // own entry not back: published again, then after twice this and so on; 4 s
	AnswerTimeout       time.Duration // for missing entries, and before another instance takes over; 5 s
	ProbeTimeout        time.Duration // for the answer of a probed instance, longer on a slow bus; 2.5 s
	BootstrapAfter      time.Duration // nobody answers or reads: bootstrap, later on a slow bus; 10 s
	BlindBootstrapAfter time.Duration // nobody answers, and the bus can't tell whether anybody reads: bootstrap; 30 s
	SignAfter           time.Duration // nothing sent this long, while clients are connected: sign of life; 4.6 s
	HeartbeatAfter      time.Duration // the same while no client is connected to any instance; 1 min
	AloneHeartbeatAfter time.Duration // the same while alone, too; 4 min, within the 5 after which Service Bus deletes
	PublishTimeout      time.Duration // of one call of the bus other than Receive; 10 s
	RaiseAfter          time.Duration // all members have known newer rules this long: they are raised; 1 min
	FlushTimeout        time.Duration // for what waits and the leave entry, once Run's context has ended; 5 s
}

func orDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

func (o *Options) setDefaults(maxBody int) {
	if o.Local == nil {
		o.Local = noLocal{}
	}
	if o.Wall == nil {
		o.Wall = func(now time.Time) time.Time { return now }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Rules = max(o.Rules, 1)
	o.Limits.setDefaults(maxBody)
	o.Timing.setDefaults()
}

func (l *Limits) setDefaults(maxBody int) {
	orDefault(&l.MaxWaiting, 65536)
	orDefault(&l.MaxWaitingBytes, 16<<20)
	orDefault(&l.MaxEntry, 64<<10)
	orDefault(&l.MaxSnapshot, 512<<20)
	orDefault(&l.MaxState, math.MaxInt32)
	orDefault(&l.MaxBuffered, 32<<20)
	orDefault(&l.MaxKept, 64<<20)
	orDefault(&l.CombineFrom, 7)
	l.MaxEntry = min(l.MaxEntry, maxBody-headerRoom)
}

func (t *Timing) setDefaults() {
	orDefault(&t.ProvisionalAfter, 1500*time.Millisecond)
	orDefault(&t.NotReadyAfter, 8*time.Second)
	orDefault(&t.ResendAfter, 4*time.Second)
	orDefault(&t.AnswerTimeout, 5*time.Second)
	orDefault(&t.ProbeTimeout, 2500*time.Millisecond)
	orDefault(&t.BootstrapAfter, 10*time.Second)
	orDefault(&t.BlindBootstrapAfter, 30*time.Second)
	orDefault(&t.SignAfter, 4600*time.Millisecond)
	orDefault(&t.HeartbeatAfter, time.Minute)
	orDefault(&t.AloneHeartbeatAfter, 4*time.Minute)
	orDefault(&t.PublishTimeout, 10*time.Second)
	orDefault(&t.RaiseAfter, time.Minute)
	orDefault(&t.FlushTimeout, 5*time.Second)
}

// noLocal is the Local of a node whose owner has none.
type noLocal struct{}

func (noLocal) Joined() [][]byte   { return nil }
func (noLocal) Provisional([]byte) {}
func (noLocal) Committed(Entry)    {}
func (noLocal) CutOff(bool)        {}
