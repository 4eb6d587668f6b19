package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"chatapp/internal/folder"
)

// records reads the records of a file.
type records struct {
	f      *os.File
	in     *bufio.Reader
	path   string
	salt   uint32
	size   int64
	at     int64  // where the record begins that next returns
	record []byte // with its head; reused
}

func openRecords(path string, kind byte) (*records, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &records{f: f, in: bufio.NewReaderSize(f, 1<<20), path: path, at: int64(headSize)}
	if err := r.begin(kind); err != nil {
		f.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return r, nil
}

func (r *records) begin(kind byte) error {
	info, err := r.f.Stat()
	if err != nil {
		return err
	}
	r.size = info.Size()
	head := make([]byte, headSize)
	n, err := io.ReadFull(r.in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	r.salt, err = parseHead(head[:n], kind)
	return err
}

// next returns the body of the next record, nil if there is no whole and undamaged one. The body is valid until the
// next call, which must follow one of accept.
func (r *records) next() ([]byte, error) {
	if r.size-r.at <= folder.RecordHead {
		return nil, nil
	}
	var head [folder.RecordHead]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return nil, r.errorf("%w", err)
	}
	size := int64(binary.BigEndian.Uint32(head[:]))
	if size > r.size-r.at-folder.RecordHead || size > folder.MaxRecord {
		return nil, nil
	}
	r.record = append(r.record[:0], head[:]...)
	r.record = append(r.record, make([]byte, size)...)
	if _, err := io.ReadFull(r.in, r.record[folder.RecordHead:]); err != nil {
		return nil, r.errorf("%w", err)
	}
	body, _, _ := folder.NextRecord(r.record, r.salt)
	return body, nil
}

// accept goes on behind the record.
func (r *records) accept() { r.at += int64(len(r.record)) }

func (r *records) errorf(format string, args ...any) error {
	return fmt.Errorf("read the record at offset %d of %s: %w", r.at, r.path, fmt.Errorf(format, args...))
}

// checkEnd returns an error if what follows the records is not what a crash leaves of the last write. Only the last log
// may end so.
func (r *records) checkEnd(last bool) error {
	if r.at == r.size {
		return nil
	}
	rest := make([]byte, r.size-r.at)
	if _, err := r.f.ReadAt(rest, r.at); err != nil {
		return r.errorf("%w", err)
	}
	if !last || !folder.Torn(rest, r.salt, string(rune(recordOperation))) {
		return r.errorf("others follow it: %w", ErrCorrupt)
	}
	return nil
}
