package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"chatapp/internal/folder"
	"chatapp/internal/store"
)

// errChanged is returned by load if the writer has changed the folder meanwhile.
var errChanged = errors.New("the folder has changed meanwhile")

// load reads the folder. It returns errChanged if it has to be read again.
func (d *disk) load() (*state, error) {
	l, err := d.List()
	if err != nil {
		return nil, err
	}
	s := newState()
	if n := l.Numbers[nameManifest]; len(n) > 0 {
		number := n[len(n)-1]
		b, err := os.ReadFile(d.Path(nameManifest, number))
		if err != nil {
			return nil, changed(err)
		}
		if s.manifest, err = decodeManifest(b); err != nil {
			return nil, fmt.Errorf("read %s: %w", d.Path(nameManifest, number), err)
		}
		s.manifest.number = number
	}
	m := s.manifest
	s.kept, s.checkpoints = m.kept, m.clone().checkpoints
	for _, files := range []struct {
		kind   byte
		listed []listed
	}{{kindLines, m.lines}, {kindEntries, m.entries}} {
		for _, in := range files.listed {
			file, err := openPages(d, files.kind, in.number)
			if err != nil {
				return nil, changed(err)
			}
			file.cut = in.cut
			s.addPagesLocked(file)
		}
	}
	return s, d.follow(s, l)
}

// changed returns errChanged for the error of a file that is no more, and others as they are.
func changed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errChanged, err)
	}
	return err
}

// follow reads what the logs have more than the state.
func (d *disk) follow(s *state, l folder.Listing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := l.Numbers[nameLog]
	for i, number := range numbers {
		if number < s.manifest.firstLog || len(s.logs) > 0 && number < s.logs[len(s.logs)-1].number {
			continue
		}
		var err error
		if i+1 < len(numbers) {
			err = d.followClosedLocked(s, number, numbers[i+1])
		} else {
			err = d.followLogLocked(s, number, -1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followClosedLocked reads the rest of a log that another one follows, whose beginning says where this one ends.
func (d *disk) followClosedLocked(s *state, number, next uint64) error {
	f, err := os.Open(d.Path(nameLog, next))
	if err != nil {
		return changed(err)
	}
	defer f.Close()
	end, _, err := readLogHead(f)
	if err != nil {
		return err
	}
	if err := d.followLogLocked(s, number, end); err != nil {
		return err
	}
	log := s.logs[len(s.logs)-1]
	if log.end < end {
		return fmt.Errorf("read %s: the record at offset %d is damaged: %w", log.path, log.end, store.ErrCorrupt)
	}
	log.closed = &closing{s.kept, s.checkpoints}
	return nil
}

func readLogHead(f *os.File) (previousEnd int64, salt uint32, err error) {
	head := make([]byte, logHead)
	n, err := f.ReadAt(head, 0)
	if err == nil || errors.Is(err, io.EOF) {
		previousEnd, salt, err = decodeLogHead(head[:n])
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return previousEnd, salt, nil
}

// followLogLocked reads the rest of a log, up to end if that is not negative. It leaves out what a crash has left of
// the last write, and what the writer has not written whole yet.
func (d *disk) followLogLocked(s *state, number uint64, end int64) error {
	path := d.Path(nameLog, number)
	f, err := os.Open(path)
	if err != nil {
		return changed(err)
	}
	defer f.Close()
	open := end < 0
	if open {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		end = info.Size()
	}
	n := len(s.logs)
	if n == 0 || s.logs[n-1].number != number {
		_, salt, err := readLogHead(f)
		if err != nil {
			return err
		}
		s.logs = append(s.logs, &logFile{number: number, path: path, salt: salt, end: logHead})
	}
	log := s.logs[len(s.logs)-1]
	if end < log.end {
		return errChanged // a record was taken back that this process has read
	}
	b := make([]byte, end-log.end)
	if n, err := f.ReadAt(b, log.end); n < len(b) {
		switch {
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("read %s: %w", path, err)
		case open:
			return errChanged
		}
		return fmt.Errorf("read %s: it ends at offset %d, not at %d: %w", path, log.end+int64(n), end, store.ErrCorrupt)
	}
	left, err := s.readLocked(log, b)
	if err != nil || !open || folder.Torn(left, log.salt, recordKinds) {
		return err
	}
	again := make([]byte, len(left))
	if _, err := f.ReadAt(again, log.end); err != nil || !bytes.Equal(again, left) {
		return errChanged // the writer has put another record in the place of one that it has taken back
	}
	return fmt.Errorf("read %s: the record at offset %d is damaged, and others behind it are not: %w", path, log.end,
		store.ErrCorrupt)
}

// readLocked applies the records that follow in a log, up to the first that is not whole. It returns what is left.
func (s *state) readLocked(log *logFile, b []byte) (left []byte, err error) {
	for {
		body, rest, ok := folder.NextRecord(b, log.salt)
		if !ok {
			return b, nil
		}
		r, err := decodeRecord(body)
		if err == nil {
			err = s.applyLocked(r, log, log.end+folder.RecordHead)
		}
		if err != nil {
			return nil, fmt.Errorf("read the record at offset %d of %s: %w", log.end, log.path, err)
		}
		log.end += int64(len(b) - len(rest))
		b = rest
	}
}

// cut removes what a crash has left of the last write to a log. The log has been read, so that is all that follows.
func (d *disk) cut(log *logFile, f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == log.end {
		return err
	}
	if err := f.Truncate(log.end); err != nil {
		return err
	}
	return d.Sync(f)
}
