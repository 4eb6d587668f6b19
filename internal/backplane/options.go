package backplane

import (
	"log/slog"
	"time"
)

// Options adjust a Node. The zero value works; zero fields take the defaults named.
type Options struct {
	Local    Local        // nil: nobody is told
	Observer Observer     // for histograms
	Logger   *slog.Logger // nil: discards

	// Bounds. What Append would put above the first two it refuses with ErrFull.
	MaxWaiting      int // own entries not yet back from the log; 65,536
	MaxWaitingBytes int // their bodies' bytes; 16 MiB
	MaxEntry        int // bytes of one body, beyond which Append returns ErrTooLarge; 64 KiB, less if the bus takes less
	MaxSnapshot     int // bytes; a longer one is neither sent nor taken; 64 MiB
	MaxHeld         int // bytes of log kept while a snapshot is awaited; beyond, it is asked for anew; 32 MiB

	// SendRate is how many operations a second all instances together ask of the bus when they are busy; entries gather meanwhile, and
	// single ones do not wait. It saves on a bus that bills and throttles by the operation. 0: as many as the bus takes.
	SendRate float64

	// Times.
	ProvisionalAfter time.Duration // own entry not back: Local.Provisional, CutOff; 1.5 s
	NotReadyAfter    time.Duration // cut off this long: not ready; 15 s
	ResendAfter      time.Duration // own entry not back: published again, then after twice this and so on; 4 s
	AnswerAfter      time.Duration // how long an instance that is asked may owe the answer; 5 s
	FoundAfter       time.Duration // a newcomer nobody answers, and that hears nobody in step, founds the cluster, later on a slow bus; 3 s
	BeatAfter        time.Duration // silent this long: beat; two and a half times it: suspect; 1 min
	AloneBeatAfter   time.Duration // the same while alone; 4 min, within the 5 after which Service Bus deletes
	PublishTimeout   time.Duration // of one Publish; 10 s
	FlushTimeout     time.Duration // for what waits and the goodbye, once Run's context has ended; 5 s
}

func orDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

func (o *Options) setDefaults(maxBody int) {
	if o.Local == nil {
		o.Local = nobody{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&o.MaxWaiting, 65536)
	orDefault(&o.MaxWaitingBytes, 16<<20)
	orDefault(&o.MaxEntry, 64<<10)
	orDefault(&o.MaxSnapshot, 64<<20)
	orDefault(&o.MaxHeld, 32<<20)
	orDefault(&o.ProvisionalAfter, 1500*time.Millisecond)
	orDefault(&o.NotReadyAfter, 15*time.Second)
	orDefault(&o.ResendAfter, 4*time.Second)
	orDefault(&o.AnswerAfter, 5*time.Second)
	orDefault(&o.FoundAfter, 3*time.Second)
	orDefault(&o.BeatAfter, time.Minute)
	orDefault(&o.AloneBeatAfter, 4*time.Minute)
	orDefault(&o.PublishTimeout, 10*time.Second)
	orDefault(&o.FlushTimeout, 5*time.Second)
	o.MaxEntry = min(o.MaxEntry, maxBody-headerRoom)
}

// nobody is the Local of a node whose owner has none.
type nobody struct{}

func (nobody) Joined() [][]byte   { return nil }
func (nobody) Provisional([]byte) {}
func (nobody) Committed(Entry)    {}
func (nobody) CutOff(bool)        {}
