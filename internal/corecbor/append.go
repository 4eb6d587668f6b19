// Package corecbor writes and reads the few kinds of CBOR items that make up a message of the chat: unsigned integers,
// texts, byte strings, and the heads of arrays and maps. Package cbor does so for any type, by reflection, and takes
// five times as long. Each message pays that on every instance.
//
// The encoding is the core deterministic one (RFC 8949, 4.2.1), so it has the same bytes as that of package cbor with
// CoreDetEncOptions. Reader reads no other encoding. A caller that fails to read a body with it leaves the body to
// package cbor, which also finds the words for what is wrong with it.
package corecbor

import "encoding/binary"

// Major types (RFC 8949, 3.1), as the high bits of an item's first byte.
const (
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5
)

// MaxHead is how many bytes an unsigned integer takes at most, and so does what stands in front of a text.
const MaxHead = 9

// The low bits of an item's first byte that say how many bytes its argument has behind it. Lower ones are the argument.
const (
	argument8 = 24 + iota
	argument16
	argument32
	argument64
)

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < argument8:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|argument8, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|argument16), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|argument32), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major|argument64), n)
}

// AppendUint appends an unsigned integer.
func AppendUint(b []byte, n uint64) []byte { return appendHead(b, majorUint, n) }

// AppendText appends a text. Reader refuses one that is not UTF-8.
func AppendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(b, value []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(value))), value...)
}

// AppendArray appends the head of an array. Its n elements follow.
func AppendArray(b []byte, n int) []byte { return appendHead(b, majorArray, uint64(n)) }

// AppendMap appends the head of a map. Its n pairs follow, ordered by the encodings of their keys.
func AppendMap(b []byte, n int) []byte { return appendHead(b, majorMap, uint64(n)) }
