package embedded

import (
	"encoding/binary"
	"fmt"

	"chatapp/internal/store"
)

// Every file begins with magic, a byte for its kind and one for its version.
const (
	magic      = "chatst"
	headerSize = len(magic) + 2
	version    = 1
)

// Kinds of files.
const (
	kindLog        = 'L'
	kindLines      = 'P'
	kindEntries    = 'E'
	kindManifest   = 'M'
	kindCheckpoint = 'C'
)

func appendHeader(b []byte, kind byte) []byte { return append(append(b, magic...), kind, version) }

// checkHeader returns what follows the header.
func checkHeader(b []byte, kind byte) ([]byte, error) {
	if len(b) < headerSize || string(b[:len(magic)]) != magic || b[len(magic)] != kind {
		return nil, fmt.Errorf("not a file of this kind: %w", store.ErrCorrupt)
	}
	if v := b[len(magic)+1]; v != version {
		return nil, fmt.Errorf("its format has version %d, this program reads %d: %w", v, version, store.ErrVersion)
	}
	return b[headerSize:], nil
}

// reader reads fields from bytes. The first field that is not there whole sets bad, and all fields are zero from then
// on.
type reader struct {
	all []byte
	at  int
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.all[r.at:])
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.all[r.at:])
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.at += n
	return v
}

// bytes reads a length and as many bytes, which stay part of what is read.
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.all)-r.at) {
		r.bad = true
		return nil
	}
	r.at += int(n)
	return r.all[r.at-int(n) : r.at : r.at]
}

func (r *reader) string() string { return string(r.bytes()) }

// count reads a number of things that take at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if r.bad || n > uint64((len(r.all)-r.at)/size) {
		r.bad = true
		return 0
	}
	return int(n)
}

// end returns an error unless everything was there, and nothing more.
func (r *reader) end(what string) error {
	if r.bad || r.at != len(r.all) {
		return fmt.Errorf("%s doesn't decode: %w", what, store.ErrCorrupt)
	}
	return nil
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendLog(b []byte, id store.LogID) []byte {
	return appendBytes(binary.AppendUvarint(b, id.Stamp), id.Founder)
}

func (r *reader) log() store.LogID {
	stamp := r.uvarint()
	return store.LogID{Stamp: stamp, Founder: r.string()}
}
