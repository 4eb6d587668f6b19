package journal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"chatapp/internal/folder"
)

// Names of files.
const (
	nameLog      = "log-"
	nameSnapshot = "snapshot-"
)

var (
	// ErrCorrupt is wrapped by errors about files that are damaged or missing.
	ErrCorrupt = errors.New("damaged")

	// ErrVersion is wrapped by errors about files that a newer version of this program has written.
	ErrVersion = errors.New("written by a newer version of this program")

	// ErrInUse is wrapped by the error of Open while another process has the folder open.
	ErrInUse = folder.ErrInUse

	errClosed = errors.New("the journal is closed")
)

// Options are the settings of a journal. The zero value works.
type Options struct {
	// Sync makes Sync wait until records are on the disk. Without it they are the operating system's to write.
	Sync bool

	// Slack is how many bytes of records there may be beyond the size of the last snapshot before [Journal.Due]
	// asks for another; 0: 32 MiB.
	Slack int64

	// Fault, unless it is nil, may fail a step: "write", "sync" or "create". Tests set it.
	Fault func(step, file string) error
}

// Journal is an open folder.
type Journal struct {
	// immutable
	d     folder.Folder
	lock  *os.File
	slack int64

	appended, written atomic.Int64 // positions: bytes of records since Open
	due               atomic.Bool

	mu sync.Mutex // locked after writing
	// mu guards
	pending []byte
	salt    uint32 // changes under both locks

	writing sync.Mutex
	// writing guards
	log      logFile
	spare    []byte // for pending
	since    int64  // bytes in the logs since the last snapshot
	snapshot int64  // bytes of the last snapshot
	failed   time.Time
	dead     error // the error of every later write

	failure atomic.Pointer[error] // of the last write; nil if it succeeded
}

// logFile is the log that is written.
type logFile struct {
	f      *os.File
	number uint64
	end    int64
}

// Open opens a folder, which it makes if there is none, and calls apply with each record of its snapshot and logs, in
// their order. apply must not keep the record. An error of apply ends Open. The journal has the folder until Close.
func Open(dir string, o Options, apply func(record []byte) error) (*Journal, error) {
	if o.Slack <= 0 {
		o.Slack = 32 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j := &Journal{d: folder.Folder{Dir: dir, NoSync: !o.Sync, Fault: o.Fault}, slack: o.Slack}
	var err error
	if j.lock, err = j.d.Lock(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := j.load(apply); err != nil {
		j.release()
		return nil, err
	}
	return j, nil
}

// Remove removes the files of a journal, which must not be open.
func Remove(dir string) error {
	d := folder.Folder{Dir: dir}
	lock, err := d.Lock()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	defer lock.Close()
	return removeBefore(&d, ^uint64(0))
}

// removeBefore removes the files with smaller numbers: snapshots first, so that a crash in between leaves a log
// without a snapshot that counts, and never a snapshot without its log.
func removeBefore(d *folder.Folder, number uint64) error {
	l, err := d.List()
	if err != nil {
		return err
	}
	for _, name := range []string{nameSnapshot, nameLog} {
		for _, n := range l.Numbers[name] {
			if n < number {
				if err := d.Remove(d.Path(name, n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (j *Journal) release() {
	if j.log.f != nil {
		j.log.f.Close()
	}
	j.lock.Close()
}

// Append adds a record, which Sync writes. It does not wait. The order of records is that of the calls. A record
// must not be empty, nor larger than [MaxRecord].
func (j *Journal) Append(record []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	start := len(j.pending)
	j.pending = append(folder.BeginRecord(j.pending), recordOperation)
	j.pending = append(j.pending, record...)
	folder.EndRecord(j.pending, start, j.salt)
	j.appended.Add(int64(len(j.pending) - start))
}

// MaxRecord bounds the size of a record, in bytes.
const MaxRecord = folder.MaxRecord - 1

// Sync returns when all records that were appended before the call are written. After an error they may be written or
// not; a later call tries to write them again.
func (j *Journal) Sync() error {
	wanted := j.appended.Load()
	if j.written.Load() >= wanted {
		return nil
	}
	j.writing.Lock()
	defer j.writing.Unlock()
	if j.written.Load() >= wanted {
		return nil // by another caller
	}
	return j.flushLocked()
}

// Err returns the error of the last write, nil if it succeeded. It tries again from time to time, so that callers which
// append nothing after an error see when it is over.
func (j *Journal) Err() error {
	failure := j.failure.Load()
	if failure == nil {
		return nil
	}
	if j.writing.TryLock() {
		defer j.writing.Unlock()
		if time.Since(j.failed) >= retryInterval {
			return j.flushLocked()
		}
	}
	return *failure
}

// Failed reports whether the last write failed.
func (j *Journal) Failed() bool { return j.failure.Load() != nil }

const retryInterval = time.Second

// flushLocked writes what is pending. The caller holds writing.
func (j *Journal) flushLocked() error {
	if j.dead != nil {
		return j.dead
	}
	j.mu.Lock()
	b := j.pending
	j.pending, j.spare = j.spare[:0], nil
	j.mu.Unlock()
	if len(b) > 0 {
		if err := j.writeLocked(b); err != nil {
			j.mu.Lock()
			j.pending = append(b, j.pending...)
			j.mu.Unlock()
			err = fmt.Errorf("write %s: %w", j.log.f.Name(), err)
			j.failed = time.Now()
			j.failure.Store(&err)
			return err
		}
	}
	j.failure.Store(nil)
	j.log.end += int64(len(b))
	j.since += int64(len(b))
	j.due.Store(j.since > j.snapshot+j.slack)
	j.written.Add(int64(len(b)))
	if cap(b) <= maxSpare {
		j.spare = b
	}
	return nil
}

const maxSpare = 4 << 20

func (j *Journal) writeLocked(b []byte) error {
	if err := j.d.WriteAt(j.log.f, b, j.log.end); err != nil {
		return err // the next try overwrites what this one has written
	}
	if err := j.d.Sync(j.log.f); err != nil {
		j.dead = fmt.Errorf("what a failed sync leaves of %s is unknown: %w", j.log.f.Name(), err)
		return err
	}
	return nil
}

// Close writes what is pending and gives up the folder. Records that are appended later are lost.
func (j *Journal) Close() error {
	j.writing.Lock()
	defer j.writing.Unlock()
	err := j.flushLocked()
	if errors.Is(j.dead, errClosed) {
		return nil
	}
	j.dead = errClosed
	j.release()
	return err
}

// startLog creates a log and makes it the one that is written. The caller holds writing, or is Open.
func (j *Journal) startLog(number uint64) error {
	salt := rand.Uint32()
	path := j.d.Path(nameLog, number)
	if err := j.d.WriteFile(path, appendHead(nil, kindLog, salt)); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if j.log.f != nil {
		j.log.f.Close()
	}
	j.log = logFile{f: f, number: number, end: int64(headSize)}
	j.mu.Lock()
	j.salt = salt
	j.mu.Unlock()
	return nil
}
