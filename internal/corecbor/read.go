package corecbor

import (
	"encoding/binary"
	"unicode/utf8"
)

// Reader reads items one after the other. Once an item is not what is asked for, or is not encoded as the Append
// functions do it, all methods return zero values, and End reports false.
type Reader struct {
	rest   []byte
	failed bool
}

// NewReader returns a Reader of a body. What it returns is part of the body.
func NewReader(body []byte) Reader { return Reader{rest: body} }

// End reports whether everything was read, without a failure.
func (r *Reader) End() bool { return !r.failed && len(r.rest) == 0 }

// Failed reports whether an item could not be read.
func (r *Reader) Failed() bool { return r.failed }

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.rest) }

// Rest returns what is left.
func (r *Reader) Rest() []byte { return r.rest }

func (r *Reader) fail() {
	r.rest, r.failed = nil, true
}

// head reads the first byte of an item and its argument.
func (r *Reader) head(major byte) uint64 {
	if len(r.rest) == 0 || r.rest[0]&0xe0 != major {
		r.fail()
		return 0
	}
	n := uint64(r.rest[0] & 0x1f)
	if n < argument8 {
		r.rest = r.rest[1:]
		return n
	}
	if n > argument64 {
		r.fail()
		return 0
	}
	size := 1 << (n - argument8)
	if len(r.rest) < 1+size {
		r.fail()
		return 0
	}
	argument := r.rest[1 : 1+size]
	least := uint64(1) << (4 * size) // of an argument that needs so many bytes; a single byte has another
	switch size {
	case 1:
		n, least = uint64(argument[0]), argument8
	case 2:
		n, least = uint64(binary.BigEndian.Uint16(argument)), 1<<8
	case 4:
		n = uint64(binary.BigEndian.Uint32(argument))
	case 8:
		n = binary.BigEndian.Uint64(argument)
	}
	if n < least {
		r.fail()
		return 0
	}
	r.rest = r.rest[1+size:]
	return n
}

// Uint reads an unsigned integer.
func (r *Reader) Uint() uint64 { return r.head(majorUint) }

// Array reads the head of an array and returns the number of its elements. It may be any number: compare it with Len
// before making room for them.
func (r *Reader) Array() uint64 { return r.head(majorArray) }

// Map reads the head of a map and returns the number of its pairs, which may be any, as that of Array.
func (r *Reader) Map() uint64 { return r.head(majorMap) }

// Text reads a text and returns its bytes, which are UTF-8.
func (r *Reader) Text() []byte {
	text := r.take(r.head(majorText))
	if !utf8.Valid(text) {
		r.fail()
		return nil
	}
	return text
}

// Bytes reads a byte string.
func (r *Reader) Bytes() []byte { return r.take(r.head(majorBytes)) }

func (r *Reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}
