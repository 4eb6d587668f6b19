package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// Options are the settings of a store. The zero value works.
type Options struct {
	// SegmentBytes is the size from which a log is sealed; 0: 32 MiB. What is in the log takes memory by line, some
	// 60 bytes, and time at the next start.
	SegmentBytes int64

	// NoSync leaves it to the operating system when to write to the disk: a crash of the machine may then lose what
	// Append has stored, or damage the folder.
	NoSync bool

	// Logger gets what goes wrong in the background; nil discards it.
	Logger *slog.Logger
}

// Store is a folder. It implements store.Store. Until Claim it is a reader, which looks for what another process has
// written in every call.
type Store struct {
	d            *disk
	segmentBytes int64
	logger       *slog.Logger

	current atomic.Pointer[state]
	next    atomic.Uint64   // number of the next file
	refresh sync.Mutex      // held while the folder is read, by a reader
	told    map[string]bool // files that were logged as damaged; refresh guards it

	// Locks, outermost first: upkeep, writing, and that of the state.
	upkeep     sync.Mutex // held while files with pages are written
	background sync.WaitGroup
	busy       atomic.Bool // the background seals logs

	writing sync.Mutex // guards what follows
	closed  bool
	claimed atomic.Bool // changes under writing
	lock    *os.File
	log     *os.File
	broken  bool // the log must not be written any more, because a write may have left something behind its end
	buffer  []byte
}

var _ store.Store = (*Store)(nil)

var errClosed = errors.New("the store is closed")

// Open opens a folder, and makes it if there is none. Its errors say what is wrong with the folder. Call Close to end
// what Claim and Append have begun.
func Open(dir string, o Options) (*Store, error) {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 32 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &Store{d: &disk{folder.Folder{Dir: dir, NoSync: o.NoSync}}, segmentBytes: o.SegmentBytes, logger: o.Logger,
		told: make(map[string]bool)}
	if err := s.reload(); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return s, nil
}

// reload reads the folder from the beginning.
func (s *Store) reload() error {
	for try := 0; ; try++ {
		st, err := s.d.load()
		if err == nil {
			s.tellDamaged(st)
			s.current.Store(st)
			return nil
		}
		if !errors.Is(err, errChanged) || try == 20 {
			return err
		}
	}
}

// tellDamaged logs once which files are damaged and yet complete.
func (s *Store) tellDamaged(st *state) {
	for _, file := range slices.Concat(st.lines, st.old) {
		if file.damaged != nil && !s.told[file.path] {
			s.told[file.path] = true
			s.logger.Warn("damaged index of a file of the store rebuilt from its pages", "file", file.path,
				"err", file.damaged)
		}
	}
}

// look returns the state. A reader first reads what the writer has written since.
func (s *Store) look() (*state, error) {
	if s.claimed.Load() {
		return s.current.Load(), nil
	}
	s.refresh.Lock()
	defer s.refresh.Unlock()
	if s.claimed.Load() { // meanwhile
		return s.current.Load(), nil
	}
	l, err := s.d.List()
	if err != nil {
		return nil, err
	}
	st := s.current.Load()
	manifests := l.Numbers[nameManifest]
	if n := len(manifests); n == 0 && st.manifest.number == 0 || n > 0 && manifests[n-1] == st.manifest.number {
		if err = s.d.follow(st, l); err == nil {
			return st, nil
		}
	} else {
		err = errChanged
	}
	if !errors.Is(err, errChanged) {
		return nil, err
	}
	if err := s.reload(); err != nil {
		return nil, err
	}
	return s.current.Load(), nil
}

// Claim locks the folder for writing, until Close.
func (s *Store) Claim(ctx context.Context) (store.Head, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	head, err := s.claimLocked()
	if err != nil {
		return store.Head{}, fmt.Errorf("claim the store in %s: %w", s.d.Dir, explain(err))
	}
	return head, nil
}

func (s *Store) claimLocked() (store.Head, error) {
	if s.closed {
		return store.Head{}, errClosed
	}
	s.refresh.Lock() // readers of this process wait until the store is claimed or not
	defer s.refresh.Unlock()
	if !s.claimed.Load() {
		if err := s.takeLocked(); err != nil {
			s.releaseLocked()
			return store.Head{}, err
		}
	}
	st := s.current.Load()
	r := &record{kind: recordClaim, term: st.kept.Head.Term + 1}
	if err := s.recordLocked(r); err != nil {
		if !s.claimed.Load() {
			s.releaseLocked()
		}
		return store.Head{}, err
	}
	s.claimed.Store(true)
	return st.kept.Head, nil
}

// takeLocked locks the folder, reads it, and removes what a crash has left.
func (s *Store) takeLocked() (err error) {
	if s.lock, err = s.d.Lock(); err != nil {
		return err
	}
	if err := s.reload(); err != nil {
		return err
	}
	l, err := s.d.List()
	if err != nil {
		return err
	}
	s.next.Store(l.Highest + 1)
	if err := s.d.RemoveLeftovers(l); err != nil {
		return err
	}
	st := s.current.Load()
	last := st.last()
	if last == nil {
		if st.manifest.number == 0 {
			m := &manifest{number: s.number(), firstLog: 1}
			if err := s.d.WriteFile(s.d.Path(nameManifest, m.number), appendManifest(nil, m)); err != nil {
				return err
			}
			st.manifest = m
		}
		return s.rollLocked()
	}
	if s.log, err = os.OpenFile(last.path, os.O_RDWR, 0); err != nil {
		return err
	}
	if err := s.d.cut(last, s.log); err != nil {
		return err
	}
	return nil
}

func (s *Store) releaseLocked() {
	for _, f := range []**os.File{&s.log, &s.lock} {
		if *f != nil {
			(*f).Close()
			*f = nil
		}
	}
}

func (s *Store) number() uint64 { return s.next.Add(1) - 1 }

// rollLocked begins another log.
func (s *Store) rollLocked() error {
	st := s.current.Load()
	number, salt := s.number(), rand.Uint32()
	next := &logFile{number: number, path: s.d.Path(nameLog, number), salt: salt, end: logHead}
	previous := st.last()
	var previousEnd int64
	if previous != nil {
		previousEnd = previous.end
	}
	if err := s.d.WriteFile(next.path, appendLogHead(nil, previousEnd, salt)); err != nil {
		return err
	}
	f, err := os.OpenFile(next.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if s.log != nil {
		s.log.Close()
	}
	s.log, s.broken = f, false
	st.mu.Lock()
	defer st.mu.Unlock()
	if previous != nil {
		previous.closed = &closing{st.kept, slices.Clone(st.checkpoints)}
	}
	st.logs = append(st.logs, next)
	return nil
}

// recordLocked writes a record, and applies it.
func (s *Store) recordLocked(r *record) error {
	if s.broken {
		if err := s.rollLocked(); err != nil {
			return err
		}
	}
	st := s.current.Load()
	log := st.last()
	s.buffer = appendRecord(s.buffer[:0], r, log.salt)
	if len(s.buffer) > folder.MaxRecord {
		return fmt.Errorf("a batch of %d bytes", len(s.buffer))
	}
	err := s.d.WriteAt(s.log, s.buffer, log.end)
	if err == nil {
		if err = s.d.Sync(s.log); err != nil {
			s.broken = true // what a failed sync leaves of a file is unknown
		}
	}
	if err != nil {
		undo := s.d.Step("truncate", log.path)
		if undo == nil {
			undo = s.log.Truncate(log.end)
		}
		if undo != nil {
			s.broken = true
		}
		return explain(err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.applyLocked(r, log, log.end+folder.RecordHead); err != nil {
		return err
	}
	log.end += int64(len(s.buffer))
	if cap(s.buffer) > 4<<20 {
		s.buffer = nil
	}
	return nil
}

// Append implements store.Store.
func (s *Store) Append(ctx context.Context, b store.Batch) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writableLocked(); err != nil {
		return err
	}
	if err := s.appendLocked(b); err != nil {
		return fmt.Errorf("append to the store in %s: %w", s.d.Dir, explain(err))
	}
	if s.current.Load().last().end >= s.segmentBytes {
		if err := s.rollLocked(); err != nil {
			s.logger.Warn("can't begin another file of the store", "err", err)
			return nil // the log goes on
		}
		if s.busy.CompareAndSwap(false, true) {
			s.background.Go(s.sealInBackground)
		}
	}
	return nil
}

func (s *Store) writableLocked() error {
	switch {
	case s.closed:
		return errClosed
	case !s.claimed.Load():
		return store.ErrFenced
	}
	return nil
}

func (s *Store) appendLocked(b store.Batch) error {
	st := s.current.Load()
	kept, err := st.kept.Append(&b)
	if err != nil {
		return err
	}
	if b.After < st.kept.Head.Index {
		last, err := st.lastLine(b.After)
		if err != nil {
			return err
		}
		if err := b.Behind(last); err != nil {
			return err
		}
		if len(b.Lines) == 0 {
			kept.Head.Seq = last
		}
	}
	r := &record{kind: recordBatch, batch: b, seq: kept.Head.Seq}
	if b.Checkpoint == nil {
		return s.recordLocked(r)
	}
	r.number = s.number()
	path := s.d.Path(nameCheckpoint, r.number)
	if err := s.d.WriteFile(path, appendCheckpoint(nil, b.Checkpoint)); err != nil {
		return err
	}
	if err := s.recordLocked(r); err != nil {
		return errors.Join(err, s.d.Remove(path))
	}
	return nil
}

// Close ends the turn of a writer, and waits for what goes on in the background.
func (s *Store) Close() error {
	s.writing.Lock()
	s.closed = true
	s.writing.Unlock()
	s.background.Wait()
	s.upkeep.Lock() // what goes on there ends before the lock is given up
	defer s.upkeep.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.releaseLocked()
	return nil
}
