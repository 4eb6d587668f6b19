package engineio

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"sync"
)

// First bytes of the WebSocket frames a server sends, all final. RFC 6455 section 5.2; RFC 7692 section 6 for the compressed bit.
const (
	frameText       = 0x81
	frameBinary     = 0x82
	frameClose      = 0x88
	framePing       = 0x89
	framePong       = 0x8a
	frameCompressed = 0x40
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

// appendCloseFrame appends a close frame; the reason is cut to what fits a control frame, at a character.
func appendCloseFrame(dst []byte, code int, reason string) []byte {
	const maxReason = 125 - 2
	if len(reason) > maxReason {
		reason = string(bytes.ToValidUTF8([]byte(reason[:maxReason]), nil))
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), uint16(code))
	return appendFrame(dst, frameClose, "", append(body, reason...))
}

// compressThreshold is the size in bytes from which a message is worth compressing; the one of the reference server.
const compressThreshold = 1024

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is valid, so there is no error
	return w
}}

// appendCompressedFrame appends a frame compressed without context takeover, so that its bytes suit every connection that
// negotiated the extension. RFC 7692 section 7.2.1.
func appendCompressedFrame(dst []byte, first byte, prefix string, data []byte) []byte {
	var out bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	w.Reset(&out)
	// Writing to a bytes.Buffer never fails.
	_, _ = w.Write([]byte(prefix))
	_, _ = w.Write(data)
	_ = w.Flush()
	deflaters.Put(w)
	return appendFrame(dst, first|frameCompressed, "", bytes.TrimSuffix(out.Bytes(), []byte{0, 0, 0xff, 0xff}))
}
