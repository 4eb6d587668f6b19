package engineio

import "encoding/base64"

// packetType is the first character of an encoded packet. Engine.IO v4, "Packet encoding".
type packetType byte

const (
	packetOpen    packetType = '0'
	packetClose   packetType = '1'
	packetPing    packetType = '2'
	packetPong    packetType = '3'
	packetMessage packetType = '4'
	packetUpgrade packetType = '5'
	packetNoop    packetType = '6'
)

// binaryMark starts a binary message in a text payload: base64 follows. Engine.IO v4, "Packet
// encoding", HTTP long-polling.
const binaryMark = 'b'

// packet is one Engine.IO packet. Only a message can be binary.
type packet struct {
	kind   packetType
	binary bool
	data   []byte
}

var (
	errEmptyPacket   = protocolError(closePolicyViolation, "empty packet")
	errPacketType    = protocolError(closePolicyViolation, "unknown packet type")
	errPacketBase64  = protocolError(closePolicyViolation, "invalid base64")
	errPayloadFormat = protocolError(closePolicyViolation, "invalid payload")
)

// parseText parses a packet sent as text, as a WebSocket text message carries it. Its data is part
// of b.
func parseText(b []byte) (packet, error) {
	if len(b) == 0 {
		return packet{}, errEmptyPacket
	}
	kind := packetType(b[0])
	if kind < packetOpen || kind > packetNoop {
		return packet{}, errPacketType
	}
	return packet{kind: kind, data: b[1:]}, nil
}

// parsePolled parses one packet of a text payload, where a binary message is base64 behind the
// letter b. Its data is part of b, unless it is binary.
func parsePolled(b []byte) (packet, error) {
	if len(b) > 0 && b[0] == binaryMark {
		return parseBase64(b[1:])
	}
	return parseText(b)
}

func parseBase64(b []byte) (packet, error) {
	data := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Decode(data, b)
	if err != nil {
		return packet{}, errPacketBase64
	}
	return packet{kind: packetMessage, binary: true, data: data[:n]}, nil
}

// appendPolled appends a packet of a text payload.
func appendPolled(dst []byte, p packet) []byte {
	if p.binary {
		return base64.StdEncoding.AppendEncode(append(dst, binaryMark), p.data)
	}
	return append(append(dst, byte(p.kind)), p.data...)
}
