package journal

import (
	"encoding/binary"
	"fmt"
	"os"

	"chatapp/internal/folder"
)

const (
	magic    = "sbdata"
	version  = 1
	headSize = len(magic) + 2 + 4 + 4
)

// Kinds of files.
const (
	kindLog      = 'L'
	kindSnapshot = 'S'
)

// The bytes with which a record begins.
const (
	recordOperation = 'o' // in a log
	recordState     = 's' // in a snapshot
	recordEnd       = 'e' // the last of a snapshot: the number of the others
)

func appendHead(b []byte, kind byte, salt uint32) []byte {
	b = append(append(b, magic...), kind, version)
	b = binary.BigEndian.AppendUint32(b, salt)
	return binary.BigEndian.AppendUint32(b, folder.Checksum(b))
}

// parseHead returns the salt of a file.
func parseHead(b []byte, kind byte) (salt uint32, err error) {
	if len(b) < len(magic)+2 || string(b[:len(magic)]) != magic || b[len(magic)] != kind {
		return 0, fmt.Errorf("not a file of this kind: %w", ErrCorrupt)
	}
	if v := b[len(magic)+1]; v != version {
		return 0, fmt.Errorf("its format has version %d, this program reads %d: %w", v, version, ErrVersion)
	}
	n := headSize - 4
	if len(b) < headSize || folder.Checksum(b[:n]) != binary.BigEndian.Uint32(b[n:]) {
		return 0, fmt.Errorf("its beginning is damaged: %w", ErrCorrupt)
	}
	return binary.BigEndian.Uint32(b[n-4:]), nil
}

// load reads the folder, and opens the last log for writing.
func (j *Journal) load(apply func([]byte) error) error {
	l, err := j.d.List()
	if err != nil {
		return err
	}
	if err := j.d.RemoveLeftovers(l); err != nil {
		return err
	}
	next := uint64(1) // the log that must come next
	if n := l.Numbers[nameSnapshot]; len(n) > 0 {
		next = n[len(n)-1]
		if err := j.loadSnapshot(j.d.Path(nameSnapshot, next), apply); err != nil {
			return err
		}
	}
	last := uint64(0)
	for i, number := range l.Numbers[nameLog] {
		if number < next {
			continue
		}
		if number != next {
			break
		}
		if err := j.loadLog(number, i == len(l.Numbers[nameLog])-1, apply); err != nil {
			return err
		}
		last, next = number, next+1
	}
	if last == 0 && l.Highest > 0 || last > 0 && last != l.Highest {
		return fmt.Errorf("%s is missing: %w", j.d.Path(nameLog, next), ErrCorrupt)
	}
	if last == 0 {
		return j.startLog(1)
	}
	return removeBefore(&j.d, firstOf(l))
}

// firstOf returns the number of the first file that counts.
func firstOf(l folder.Listing) uint64 {
	if n := l.Numbers[nameSnapshot]; len(n) > 0 {
		return n[len(n)-1]
	}
	return 0
}

func (j *Journal) loadSnapshot(path string, apply func([]byte) error) error {
	r, err := openRecords(path, kindSnapshot)
	if err != nil {
		return err
	}
	defer r.f.Close()
	j.snapshot = r.size
	for count := uint64(0); ; count++ {
		body, err := r.next()
		switch {
		case err != nil:
			return err
		case body != nil && body[0] == recordState:
			if err := apply(body[1:]); err != nil {
				return r.errorf("%w", err)
			}
			r.accept()
			continue
		case body != nil && body[0] == recordEnd && r.at+int64(len(r.record)) == r.size:
			if n, size := binary.Uvarint(body[1:]); size == len(body)-1 && n == count {
				return nil
			}
		}
		return r.errorf("%w", ErrCorrupt)
	}
}

// loadLog reads a log. It opens the last one for writing, without what a crash has left at its end.
func (j *Journal) loadLog(number uint64, last bool, apply func([]byte) error) error {
	path := j.d.Path(nameLog, number)
	r, err := openRecords(path, kindLog)
	if err != nil {
		return err
	}
	defer r.f.Close()
	for {
		body, err := r.next()
		if err != nil {
			return err
		}
		if body == nil {
			break
		}
		if body[0] != recordOperation {
			return r.errorf("its kind is %q: %w", body[0], ErrVersion)
		}
		if err := apply(body[1:]); err != nil {
			return r.errorf("%w", err)
		}
		r.accept()
	}
	j.since += r.at
	if err := r.checkEnd(last); err != nil {
		return err
	}
	if !last {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	j.log, j.salt = logFile{f: f, number: number, end: r.at}, r.salt
	if r.at == r.size {
		return nil
	}
	if err := f.Truncate(r.at); err != nil {
		return err
	}
	return j.d.Sync(f)
}
