// Package store is the contract of a durable store for the log and what it has led to: the entries by log index, from
// which an instance recovers, and the lines of the rooms, from which people read on where memory ends. Package
// storetest has the tests that every implementation passes; embedded keeps a folder, azuretable an Azure storage
// account.
//
// The package knows nothing of chat or cluster: bodies are opaque, and what must be found without decoding them is
// repeated beside them.
package store

import (
	"context"
	"errors"
	"time"
)

// LogID names a log. Every bootstrap begins another one; see backplane.
type LogID struct {
	Stamp   uint64 // epoch of the instance that began it
	Founder string // name of that instance
}

// Head is how far a store's log reaches. The zero Head is that of an empty store.
type Head struct {
	Log   LogID  // of the last batch
	Index uint64 // of the last entry, or of a checkpoint that is newer
	Seq   uint64 // of the last line, also if it has been dropped since; 0: there was none
	Term  uint64 // of the last writer; see Store.Claim
}

// Entry is one accepted entry of the log.
type Entry struct {
	Index uint64
	Body  []byte // not modified by anybody
}

// Line is one item of a room's history. Its number is unique in the store, and greater than those of all earlier lines.
type Line struct {
	Room  string
	Seq   uint64
	Index uint64 // of the entry that has led to the line
	Time  int64  // Unix milliseconds, by the clock of the bus
	User  uint64 // whom the line is of; 0: nobody known
	Body  []byte // not modified by anybody
}

// Batch is what is appended at once: all of it is stored, or nothing.
type Batch struct {
	Log LogID

	// After is the index behind which the batch goes. If the store has more than that, all above After is dropped
	// first, entries, lines and checkpoints: the log that it belonged to has lost against the one that the batch is of.
	After   uint64
	Entries []Entry // without gaps from After+1, or from a later index if Checkpoint is set

	// Lines are ascending, with indexes up to that of the last entry or checkpoint. They may be late, with indexes up
	// to After: a writer that stores an entry before it is applied knows its lines only then. Also a batch of such
	// lines alone is one.
	Lines []Line

	// Checkpoint, if it is not nil, is saved with the batch. Its index is that of the last entry. If there is no
	// entry, it may be greater than After: the store then has the lines but not the entries in between. With a
	// checkpoint, After may be any index; without one, the store must have the log up to After.
	Checkpoint *Checkpoint
}

// Checkpoint is the encoded state at one log index.
type Checkpoint struct {
	Log   LogID
	Index uint64
	Body  []byte
}

// Page is a part of a room's history.
type Page struct {
	Lines []Line // ascending
	More  bool   // there are lines before the first one
}

// Change is what Rewrite does with one line.
type Change int

const (
	Keep Change = iota
	Replace
	Drop
)

// Reader reads a store, which another process may be writing. A method sees all that was appended before its call. All
// methods may be called concurrently. What a method returns belongs to the caller, but for the bodies, which nobody
// modifies.
type Reader interface {
	// Head returns how far the store's log reaches.
	Head(ctx context.Context) (Head, error)

	// Checkpoint returns the newest complete checkpoint, or nil if there is none.
	Checkpoint(ctx context.Context) (*Checkpoint, error)

	// Entries calls yield with all entries behind an index, ascending. It returns yield's error if that returns one.
	// Entries that a checkpoint contains may be gone: an error that wraps ErrGone then says so, before any call.
	Entries(ctx context.Context, after uint64, yield func(Entry) error) error

	// Lines returns the last lines of a room with numbers below before (0: the very last), limit at most, which is
	// positive. A damaged part of the store fails the pages that it is in, and no others.
	Lines(ctx context.Context, room string, before uint64, limit int) (Page, error)

	// Rooms calls yield with the name of every room that has lines, in no order.
	Rooms(ctx context.Context, yield func(room string) error) error

	Close() error
}

// Store is a store that this process writes. Its methods may be called concurrently with each other.
type Store interface {
	Reader

	// Claim makes this process the writer, and ends the turn of the one before: methods that write return ErrFenced to
	// that one from then on, and to all that have not claimed. It returns the head, whose Term is this writer's. A
	// store that only one process can write returns ErrInUse instead, until the writer before has called Close or has
	// ended.
	Claim(ctx context.Context) (Head, error)

	// Append stores a batch, and returns once no crash of process or machine loses it. If it returns an error, the
	// batch may be stored or not, but for ErrFenced and ErrGap; to append the last batch again does no harm. Calls
	// don't overlap: what comes while one is under way goes into the next batch, so that one sync of a disk, or one
	// write to a table, serves all of it.
	Append(ctx context.Context, b Batch) error

	// DropEntries removes the entries up to an index, which is not above that of the newest checkpoint, and all older
	// checkpoints.
	DropEntries(ctx context.Context, through uint64) error

	// Rewrite calls change with every line that is not newer than through, a line number, in no order and perhaps
	// more than once. change may modify the Body and the User of the line that it gets, also in place, and says what
	// becomes of the line. Once Rewrite has returned nil, no file or table has the old bodies any more. If it returns
	// an error, some lines may be changed and others not. Append does not wait for it.
	Rewrite(ctx context.Context, through uint64, change func(*Line) Change) error

	// DropLines removes the lines that are older than a time, wholly as Rewrite does.
	DropLines(ctx context.Context, before time.Time) error
}

var (
	// ErrFenced is wrapped by the errors of methods that write once another process has claimed the store.
	ErrFenced = errors.New("store: another process writes it now")

	// ErrGone is wrapped by the error of Entries if not all entries behind the index are kept.
	ErrGone = errors.New("store: entries are not kept any more")

	// ErrGap is wrapped by the error of Append if the store does not have the log up to Batch.After, so that nothing
	// could be recovered from it behind the batch. A batch with a checkpoint helps.
	ErrGap = errors.New("store: the log has a gap")

	// ErrCorrupt is wrapped by errors about a part of the store that its checksum shows to be damaged.
	ErrCorrupt = errors.New("store: damaged")

	// ErrVersion is wrapped by errors about a store that a newer version of this program has written.
	ErrVersion = errors.New("store: written by a newer version of this program")

	// ErrFull is wrapped by the error of a method that writes if there is no room left.
	ErrFull = errors.New("store: no space left")

	// ErrInUse is wrapped by an error of a store that only one process can write, while another one does.
	ErrInUse = errors.New("store: another process is writing it")
)
