package amqp

import "encoding/binary"

// FrameHeaderSize is the size of a frame without extended header and body, in bytes.
const FrameHeaderSize = 8

// MinMaxFrameSize is the least max-frame-size that a peer may announce (AMQP 1.0 part 2, 2.7.1).
const MinMaxFrameSize = 512

// FrameType distinguishes AMQP frames from SASL frames.
type FrameType uint8

// The frame types of the standard.
const (
	FrameAMQP FrameType = 0
	FrameSASL FrameType = 1
)

// ProtocolID is the octet of the protocol header that selects the next protocol.
type ProtocolID uint8

// The protocols a header may announce.
const (
	ProtocolAMQP ProtocolID = 0
	ProtocolTLS  ProtocolID = 2
	ProtocolSASL ProtocolID = 3
)

// ProtocolHeaderSize is the size of the header that both ends send first, and again after SASL, in bytes.
const ProtocolHeaderSize = 8

// AppendProtocolHeader appends the header of version 1.0.0.
func AppendProtocolHeader(dst []byte, id ProtocolID) []byte {
	return append(dst, 'A', 'M', 'Q', 'P', byte(id), 1, 0, 0)
}

// ParseProtocolHeader parses a header and checks the version.
func ParseProtocolHeader(b [ProtocolHeaderSize]byte) (ProtocolID, error) {
	if string(b[:4]) != "AMQP" {
		return 0, Errorf(CondFramingError, "the connection starts with %q, not with an AMQP header", b[:])
	}
	if b[5] != 1 || b[6] != 0 || b[7] != 0 {
		return 0, Errorf(CondFramingError, "AMQP version %d.%d.%d is not spoken here, 1.0.0 is", b[5], b[6], b[7])
	}
	return ProtocolID(b[4]), nil
}

// Frame is one frame. Body holds a performative and an optional payload. It is empty in frames that
// only keep a connection alive.
type Frame struct {
	Type    FrameType
	Channel uint16
	Body    []byte
}

// ParseFrame parses the first frame of b and returns its size. Size 0 without an error means that b
// does not hold the whole frame yet. It returns an error as soon as the first four bytes announce
// more than maxSize or less than a header. Body aliases b.
func ParseFrame(b []byte, maxSize uint32) (f Frame, size int, err error) {
	if len(b) < 4 {
		return Frame{}, 0, nil
	}
	announced := binary.BigEndian.Uint32(b)
	if announced < FrameHeaderSize || announced > maxSize {
		return Frame{}, 0, Errorf(CondFramingError, "a frame of %d bytes, allowed are %d to %d", announced,
			FrameHeaderSize, maxSize)
	}
	if uint64(len(b)) < uint64(announced) {
		return Frame{}, 0, nil
	}
	body := int(b[4]) * 4 // the data offset counts words of four bytes
	if body < FrameHeaderSize || body > int(announced) {
		return Frame{}, 0, Errorf(CondFramingError, "data offset %d in a frame of %d bytes", b[4], announced)
	}
	f = Frame{Type: FrameType(b[5]), Body: b[body:announced:announced]}
	switch f.Type {
	case FrameAMQP:
		f.Channel = binary.BigEndian.Uint16(b[6:])
	case FrameSASL: // the two octets are ignored
	default:
		return Frame{}, 0, Errorf(CondFramingError, "frame type %d", b[5])
	}
	return f, int(announced), nil
}

// BeginFrame appends a frame header. The caller appends the body and calls EndFrame, which sets the size.
func BeginFrame(dst []byte, typ FrameType, channel uint16) []byte {
	return append(dst, 0, 0, 0, 0, 2, byte(typ), byte(channel>>8), byte(channel))
}

// EndFrame completes the frame that begins at start and consists of frame[start:] and extra bytes that the caller will
// write after them.
func EndFrame(frame []byte, start, extra int) []byte {
	binary.BigEndian.PutUint32(frame[start:], uint32(len(frame)-start+extra))
	return frame
}

// AppendFrame appends a frame with one performative and without a payload.
func AppendFrame(dst []byte, channel uint16, p Performative) []byte {
	typ := FrameAMQP
	if _, ok := p.(saslPerformative); ok {
		typ = FrameSASL
	}
	start := len(dst)
	return EndFrame(p.Append(BeginFrame(dst, typ, channel)), start, 0)
}
