package chatclient

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// MaxPayload bounds the messages that a server may send, in bytes: a chat has no use for longer
// ones, and the read buffer grows to them.
const MaxPayload = 16 << 20

// frame is one WebSocket frame as a server sends it. Its payload is a part of the scanned buffer.
type frame struct {
	opcode  byte
	fin     bool
	payload []byte
}

// scanFrame reads the frame at the start of data. It returns the bytes the frame takes, header
// included; where data ends before the frame does, complete is false and size is the number of
// bytes known to be needed.
func scanFrame(data []byte) (f frame, size int, complete bool, err error) {
	if len(data) < 2 {
		return frame{}, 2, false, nil
	}
	f.opcode, f.fin = data[0]&0x0f, data[0]&0x80 != 0
	length, header := uint64(data[1]&0x7f), 2
	if err := checkHeader(data[0], data[1]); err != nil {
		return frame{}, 0, false, err
	}
	switch length {
	case 126:
		if header = 4; len(data) < header {
			return frame{}, header, false, nil
		}
		length = uint64(binary.BigEndian.Uint16(data[2:]))
	case 127:
		if header = 10; len(data) < header {
			return frame{}, header, false, nil
		}
		length = binary.BigEndian.Uint64(data[2:])
	}
	if length > MaxPayload {
		return frame{}, 0, false, fmt.Errorf("frame of %d bytes: more than %d", length, MaxPayload)
	}
	size = header + int(length)
	if len(data) < size {
		return frame{}, size, false, nil
	}
	f.payload = data[header:size:size]
	return f, size, true, nil
}

// checkHeader applies RFC 6455, sections 5.1, 5.2 and 5.5: a server never masks, no extension was
// negotiated, and a control frame is short and whole.
func checkHeader(first, second byte) error {
	opcode := first & 0x0f
	switch {
	case first&0x70 != 0:
		return fmt.Errorf("frame header %#02x: reserved bit set", first)
	case second&0x80 != 0:
		return fmt.Errorf("frame with opcode %#x: masked by the server", opcode)
	case opcode > opBinary && opcode < opClose || opcode > opPong:
		return fmt.Errorf("frame header %#02x: unknown opcode", first)
	case opcode >= opClose && (second > 125 || first&0x80 == 0):
		return fmt.Errorf("control frame with opcode %#x: long or fragmented", opcode)
	}
	return nil
}

// appendFrame appends payload as one whole, masked frame, as a client must send it (RFC 6455,
// section 5.3).
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	key := rand.Uint32()
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

// AppendText appends the frame of a text message, for Conn.Write.
func AppendText(dst, payload []byte) []byte { return appendFrame(dst, opText, payload) }

// mask applies key, its lowest byte first, to data: eight bytes at a time while there are as many.
func mask(data []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(data) >= 8 {
		binary.LittleEndian.PutUint64(data, binary.LittleEndian.Uint64(data)^wide)
		data = data[8:]
	}
	for i := range data {
		data[i] ^= byte(wide >> (8 * i))
	}
}
