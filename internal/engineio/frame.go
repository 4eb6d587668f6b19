package engineio

import (
	"bytes"
	"encoding/binary"
)

// First bytes of the WebSocket frames a server sends, all final. RFC 6455 section 5.2.
const (
	frameText   = 0x81
	frameBinary = 0x82
	frameClose  = 0x88
	framePing   = 0x89
	framePong   = 0x8a
)

const maxFrameHeader = 10

// appendFrame appends an unmasked WebSocket frame whose payload is prefix and data.
func appendFrame(dst []byte, first byte, prefix string, data []byte) []byte {
	switch n := len(prefix) + len(data); {
	case n < 126:
		dst = append(dst, first, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
	return append(append(dst, prefix...), data...)
}

// appendCloseFrame appends a close frame; it cuts the reason, between characters, to what fits a
// control frame.
func appendCloseFrame(dst []byte, code int, reason string) []byte {
	const maxReason = 125 - 2
	if len(reason) > maxReason {
		reason = string(bytes.ToValidUTF8([]byte(reason[:maxReason]), nil))
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), uint16(code))
	return appendFrame(dst, frameClose, "", append(body, reason...))
}
