package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"chatapp/internal/folder"
)

// Snapshot is a snapshot that is being written. End it by Commit or Abandon.
type Snapshot struct {
	j      *Journal
	f      *os.File
	w      *bufio.Writer
	path   string
	number uint64
	salt   uint32
	buffer []byte
	count  uint64
	size   int64
	err    error
}

// Due reports whether the records since the last snapshot are so many that it is time for another.
func (j *Journal) Due() bool { return j.due.Load() }

// Snapshot begins a snapshot of the state behind all records that were appended before. The caller must append none
// until the call returns, and may append others while it writes the snapshot.
func (j *Journal) Snapshot() (*Snapshot, error) {
	j.writing.Lock()
	defer j.writing.Unlock()
	if err := j.flushLocked(); err != nil {
		return nil, err
	}
	j.since = 0 // if this snapshot fails, the next is due only after as much more
	j.due.Store(false)
	number := j.log.number + 1
	if err := j.startLog(number); err != nil {
		return nil, fmt.Errorf("begin a log: %w", err)
	}
	s := &Snapshot{j: j, path: j.d.Path(nameSnapshot, number), number: number, salt: rand.Uint32()}
	f, err := j.d.Create(s.path)
	if err != nil {
		return nil, fmt.Errorf("begin a snapshot: %w", err)
	}
	s.f, s.w = f, bufio.NewWriterSize(f, 1<<20)
	s.put(appendHead(nil, kindSnapshot, s.salt))
	return s, nil
}

func (s *Snapshot) put(b []byte) {
	if s.err == nil {
		s.err = s.j.d.Step("write", s.path)
	}
	if s.err == nil {
		_, s.err = s.w.Write(b)
		s.size += int64(len(b))
	}
}

func (s *Snapshot) record(kind byte, body []byte) {
	s.buffer = append(append(folder.BeginRecord(s.buffer[:0]), kind), body...)
	folder.EndRecord(s.buffer, 0, s.salt)
	s.put(s.buffer)
}

// Add adds a record, which must not be empty, nor larger than [MaxRecord]. Commit reports errors.
func (s *Snapshot) Add(record []byte) {
	s.count++
	s.record(recordState, record)
}

// Err returns the first error so far.
func (s *Snapshot) Err() error { return s.err }

// Commit makes the snapshot count, and removes all files that it takes the place of.
func (s *Snapshot) Commit() error {
	s.record(recordEnd, binary.AppendUvarint(nil, s.count))
	if s.err == nil {
		s.err = s.w.Flush()
	}
	if err := s.j.d.Commit(s.f, s.path, s.err); err != nil {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	s.j.writing.Lock()
	s.j.snapshot = s.size
	s.j.writing.Unlock()
	if err := removeBefore(&s.j.d, s.number); err != nil {
		return fmt.Errorf("remove what a snapshot has replaced: %w", err)
	}
	return nil
}

// Abandon removes what was written.
func (s *Snapshot) Abandon() {
	s.err = errors.Join(s.err, errClosed)
	folder.Abandon(s.f)
}
