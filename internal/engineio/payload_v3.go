package engineio

import (
	"bytes"
	"encoding/base64"
	"iter"
	"strconv"
	"unicode/utf8"
)

// The payloads of protocol 3, Engine.IO v3, "Encoding", "Payload". In a text payload, each packet
// follows its length in UTF-16 code units and a colon. In a binary one, it follows a kind (0 text,
// 1 binary), its length in bytes, digit by digit, and 255.
const (
	binaryLengthEnd   = 0xff
	maxLengthDigits   = 9 // more than any payload has, and an int of 32 bits holds it
	base64MessageV3   = "b4"
	kindTextV3        = 0
	kindBinaryV3      = 1
	contentTypeBinary = "application/octet-stream"
)

// packetsV3 yields the packets of a protocol 3 payload, and stops at the first that is malformed,
// with its error.
func packetsV3(payload []byte, binary bool) iter.Seq2[packet, error] {
	next := cutTextV3
	if binary {
		next = cutBinaryV3
	}
	return func(yield func(packet, error) bool) {
		for {
			p, rest, err := next(payload)
			if !yield(p, err) || err != nil || len(rest) == 0 {
				return
			}
			payload = rest
		}
	}
}

func cutTextV3(payload []byte) (packet, []byte, error) {
	digits, rest, found := bytes.Cut(payload, []byte{':'})
	if !found || len(digits) == 0 || len(digits) > maxLengthDigits {
		return packet{}, nil, errPayloadFormat
	}
	length, err := strconv.ParseUint(string(digits), 10, 32)
	if err != nil {
		return packet{}, nil, errPayloadFormat
	}
	size, ok := sizeOfUTF16(rest, int(length))
	if !ok {
		return packet{}, nil, errPayloadFormat
	}
	p, err := parseTextV3(rest[:size])
	return p, rest[size:], err
}

// sizeOfUTF16 returns how many bytes of b encode the given number of UTF-16 code units. It reports
// false if b is shorter or would be cut within a character.
func sizeOfUTF16(b []byte, units int) (int, bool) {
	size := 0
	for units > 0 {
		r, n := utf8.DecodeRune(b[size:])
		if n == 0 {
			return 0, false
		}
		size += n
		units--
		if r > 0xffff {
			units--
		}
	}
	return size, units == 0
}

func cutBinaryV3(payload []byte) (packet, []byte, error) {
	end := bytes.IndexByte(payload, binaryLengthEnd)
	if end < 2 || end > 1+maxLengthDigits || payload[0] > kindBinaryV3 {
		return packet{}, nil, errPayloadFormat
	}
	length := 0
	for _, digit := range payload[1:end] {
		if digit > 9 {
			return packet{}, nil, errPayloadFormat
		}
		length = length*10 + int(digit)
	}
	rest := payload[end+1:]
	if length > len(rest) {
		return packet{}, nil, errPayloadFormat
	}
	if payload[0] == kindBinaryV3 {
		p, err := parseBinaryV3(rest[:length])
		return p, rest[length:], err
	}
	if !utf8.Valid(rest[:length]) {
		return packet{}, nil, errPayloadFormat
	}
	p, err := parseTextV3(rest[:length])
	return p, rest[length:], err
}

// parseTextV3 parses a packet that protocol 3 sent as text: as in protocol 4, except for binary
// messages, which start with b4.
func parseTextV3(b []byte) (packet, error) {
	if data, ok := bytes.CutPrefix(b, []byte(base64MessageV3)); ok {
		return parseBase64(data)
	}
	return parseText(b)
}

// parseBinaryV3 parses a packet that protocol 3 sent as bytes: the type is a number, not a digit.
func parseBinaryV3(b []byte) (packet, error) {
	if len(b) == 0 {
		return packet{}, errEmptyPacket
	}
	if packetType('0'+b[0]) != packetMessage {
		return packet{}, errPacketType
	}
	return packet{kind: packetMessage, binary: true, data: b[1:]}, nil
}

// appendTextV3 appends a packet to a protocol 3 text payload.
func appendTextV3(dst []byte, p packet) []byte {
	if p.binary {
		dst = strconv.AppendInt(dst, int64(len(base64MessageV3)+base64.StdEncoding.EncodedLen(len(p.data))), 10)
		dst = append(append(dst, ':'), base64MessageV3...)
		return base64.StdEncoding.AppendEncode(dst, p.data)
	}
	dst = strconv.AppendInt(dst, int64(1+lengthUTF16(p.data)), 10)
	dst = append(dst, ':', byte(p.kind))
	return append(dst, p.data...)
}

// appendBinaryV3 appends a packet to a protocol 3 binary payload.
func appendBinaryV3(dst []byte, p packet) []byte {
	first := byte(p.kind)
	if p.binary {
		dst = append(dst, kindBinaryV3)
		first -= '0'
	} else {
		dst = append(dst, kindTextV3)
	}
	for _, digit := range strconv.Itoa(1 + len(p.data)) {
		dst = append(dst, byte(digit-'0'))
	}
	dst = append(dst, binaryLengthEnd, first)
	return append(dst, p.data...)
}

func lengthUTF16(b []byte) int {
	units := 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		units++
		if r > 0xffff {
			units++
		}
	}
	return units
}
