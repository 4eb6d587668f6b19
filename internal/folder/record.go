package folder

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// RecordHead is the size of what stands in front of a record: its length and its checksum, 32 bits each, big-endian.
const RecordHead = 8

// MaxRecord bounds the length of a record, so that a damaged length is found to be one.
const MaxRecord = 1 << 30

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of b.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// BeginRecord appends room for the head of a record. The caller appends the body and calls [EndRecord].
func BeginRecord(b []byte) []byte { return append(b, make([]byte, RecordHead)...) }

// EndRecord writes the head of the record that begins at start and ends with b. Every log has another random salt, so
// that no body can be made to look like a record.
func EndRecord(b []byte, start int, salt uint32) {
	body := b[start+RecordHead:]
	binary.BigEndian.PutUint32(b[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(b[start+4:], Checksum(body)^salt)
}

// NextRecord returns the body of the first record in b, and what follows it. It returns ok false if there is no
// whole and undamaged record.
func NextRecord(b []byte, salt uint32) (body, rest []byte, ok bool) {
	if len(b) < RecordHead {
		return nil, b, false
	}
	size := binary.BigEndian.Uint32(b)
	if size > MaxRecord || uint64(size) > uint64(len(b)-RecordHead) {
		return nil, b, false
	}
	body = b[RecordHead : RecordHead+int(size)]
	if size == 0 || Checksum(body)^salt != binary.BigEndian.Uint32(b[4:]) {
		return nil, b, false
	}
	return body, b[RecordHead+int(size):], true
}

// Torn reports whether no record follows the damage at the beginning of b: what a crash leaves of the last write. kinds
// are the bytes with which the body of a record may begin.
func Torn(b []byte, salt uint32, kinds string) bool {
	for i := 1; i+RecordHead < len(b); i++ {
		if strings.IndexByte(kinds, b[i+RecordHead]) >= 0 {
			if _, _, ok := NextRecord(b[i:], salt); ok {
				return false
			}
		}
	}
	return true
}
