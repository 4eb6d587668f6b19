package backplane

import (
	"context"
	"time"
)

// Recorder keeps what a node accepts, so that a later process can go on where all have ended. It reports errors of its
// storage itself and tries again: the node goes on without it. All methods are called on the goroutine of Node.Run, one
// at a time, and none while the StateMachine or the Local is called.
type Recorder interface {
	// Load gives replay what is kept: a checkpoint, and the entries behind it. It is called when this instance is
	// going to begin a log without a state, or with one that may be old (see Keeping.Whole): no other instance has
	// answered. If it returns an error, the node does not begin a log and calls it again later, for as long as nobody
	// answers; but with a state of its own, which Load has left alone, for half a minute. An error that wraps
	// ErrVersion ends Run. If nothing is kept, Load returns nil and leaves replay alone.
	Load(ctx context.Context, replay *Replay) error

	// Record takes entries that the node has accepted, ascending by index and without a gap behind those before. None
	// of them is applied, and so none is acknowledged, until Record returns. The next call has all that comes
	// meanwhile, up to some thousands. Only the bodies may be kept.
	Record(entries []Recorded)

	// Jump says that the state is another instance's snapshot now, at a position. Entries before it may not have been
	// recorded.
	Jump(at Lineage)

	// Tick is called four times a second. It returns how far the Recorder has come. The others learn by Standing what
	// the archivist's has returned.
	Tick(now time.Time, s Standing) Keeping

	// Due reports whether a checkpoint is wanted. If so, Checkpoint is called soon: at the next Tick, or where a log
	// begins.
	Due() bool

	// Checkpoint takes the encoded state at a position, which is that of the entry recorded last. The body is the
	// Recorder's. An error says that the state can't be encoded within the limits.
	Checkpoint(at Lineage, body []byte, err error)
}

// Recorded is an entry as a Recorder keeps it.
type Recorded struct {
	Log    LogID
	Index  uint64
	Begins bool   // the log begins with this entry
	Body   []byte // opaque; Replay.Entry takes it. Not modified by anybody
}

// Standing is how a node stands in the cluster, as its Recorder needs to know it.
type Standing struct {
	At        Lineage // of the state; empty: there is none
	InSync    bool
	Archivist bool    // of the members in sync that have a Recorder, this is the oldest one
	Told      Keeping // what the archivist has said last
}

// Keeping is how far a Recorder has come.
type Keeping struct {
	Kept    uint64 // index up to which all entries are known to be kept; 0: unknown
	Trouble Trouble

	// Whole says that storage and bus together have all that any instance has acknowledged. An instance whose state no
	// other one confirms then loads what is kept before it begins a log: others may have gone on, and ended.
	Whole bool
}

// Trouble is what a storage that fails means for what is accepted now.
type Trouble uint8

const (
	NoTrouble Trouble = iota
	Delayed           // the bus keeps it until the storage has it
	AtRisk            // it is lost if all instances end before the storage works again
)
