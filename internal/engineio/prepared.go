package engineio

import (
	"encoding/base64"
	"sync/atomic"
	"unsafe"
)

// Message is one Engine.IO message, text or binary. Text is UTF-8.
//
// The Data of a received message is valid only until [Handler.Received] returns. The Data of a sent
// message belongs to this package from then on: it may be shared by many sessions and must never
// change.
type Message struct {
	Data   []byte
	Binary bool
}

// wireFormat is how the bytes of a message are written. Engine.IO 3 differs from 4 on a WebSocket
// only in binary messages.
type wireFormat uint8

const (
	formatV4 wireFormat = iota
	formatV3
	formatRaw
	formatV4Text // for clients that take binary messages as base64 only, as in payloads
	formatV3Text
	formatPayload // a text payload of protocol 4, without separators around it
	wireFormats
)

// frameFormat is the format on a WebSocket.
func (p Protocol) frameFormat(base64Only bool) wireFormat {
	switch {
	case p == Raw:
		return formatRaw
	case p == V3 && base64Only:
		return formatV3Text
	case p == V3:
		return formatV3
	case base64Only:
		return formatV4Text
	}
	return formatV4
}

// Prepared is one message, or several that stay together, ready to be sent to any number of
// sessions at once: each wire format is encoded when the first session needs it. It never changes,
// and is safe for concurrent use.
type Prepared struct {
	messages []Message
	one      [1]Message
	control  packetType   // the type of a packet without data, other than a message; else 0
	frames   []byte       // bytes that go to a WebSocket as they are; else nil
	size     int          // in bytes, as MaxQueueBytes counts it
	queues   atomic.Int64 // in how many it is, see queueBudget
	wires    [wireFormats]atomic.Pointer[[]byte]
}

// Prepare returns a [Prepared] of the messages and owns their data from then on: it must not change.
func Prepare(messages ...Message) *Prepared {
	p := &Prepared{}
	p.messages = append(p.one[:0], messages...)
	p.size = preparedSize + encodedSize(messages)
	for i := range messages {
		p.size += messageSize + cap(messages[i].Data)
	}
	return p
}

// prepareOne is Prepare without a slice to allocate.
func prepareOne(m Message) *Prepared {
	p := &Prepared{one: [1]Message{m}}
	p.messages = p.one[:]
	p.size = preparedSize + max(cap(m.Data), encodedSize(p.messages))
	return p
}

func prepareControl(kind packetType) *Prepared {
	return &Prepared{control: kind, size: pointerSize} // all sessions share it
}

// prepareFrames makes a Prepared for one session alone.
func prepareFrames(b []byte) *Prepared {
	return &Prepared{frames: b, size: preparedSize + cap(b)}
}

// A Prepared counts in a session's queue with the memory it takes. Otherwise a client that causes
// many small answers and reads none could hold more than one that is sent few large ones. A
// Prepared for many sessions counts in each, with its encoding. One for a single session is encoded
// when it is written, and its encoding is not kept.
const (
	pointerSize  = 2 * int(unsafe.Sizeof((*Prepared)(nil))) // a growing queue has room for twice its items
	preparedSize = int(unsafe.Sizeof(Prepared{})) + pointerSize
	messageSize  = int(unsafe.Sizeof(Message{}))
	// frameSize is what a frame takes beside the message's data: header, packet type and slice.
	frameSize = maxFrameHeader + 1 + int(unsafe.Sizeof([]byte{}))
)

// encodedSize estimates the size of the messages on the wire; most formats take less.
func encodedSize(messages []Message) int {
	size := 0
	for i := range messages {
		size += len(messages[i].Data) + frameSize
	}
	return size
}

// wire returns the bytes to write for p in a format. Sessions share them: they must not be changed.
func (p *Prepared) wire(f wireFormat) []byte {
	if p.frames != nil {
		return p.frames
	}
	if b := p.wires[f].Load(); b != nil {
		return *b
	}
	b := p.encode(f)
	if !p.wires[f].CompareAndSwap(nil, &b) {
		return *p.wires[f].Load()
	}
	return b
}

func (p *Prepared) encode(f wireFormat) []byte {
	b := make([]byte, 0, max(encodedSize(p.messages), maxFrameHeader+1))
	if p.control != 0 {
		return p.appendControl(b, f)
	}
	for i := range p.messages {
		m := &p.messages[i]
		switch f {
		case formatV4, formatV3:
			b = appendMessageFrame(b, m, "4", f == formatV3)
		case formatV4Text, formatV3Text:
			b = appendTextFrame(b, m, f)
		case formatRaw:
			b = appendMessageFrame(b, m, "", false)
		case formatPayload:
			if i > 0 {
				b = append(b, recordSeparator)
			}
			b = appendPolled(b, m.packet())
		}
	}
	return b
}

func (p *Prepared) appendControl(b []byte, f wireFormat) []byte {
	switch {
	case f == formatPayload:
		return append(b, byte(p.control))
	case f != formatRaw:
		return appendFrame(b, frameText, string(p.control), nil)
	case p.control == packetPing:
		return appendFrame(b, framePing, "", nil)
	}
	return b // a raw WebSocket has no other control packet
}

// appendMessageFrame appends a message as a WebSocket frame. A binary one has no packet type in
// protocol 4, and in protocol 3 the number 4 before it.
func appendMessageFrame(b []byte, m *Message, textPrefix string, v3 bool) []byte {
	switch {
	case !m.Binary:
		return appendFrame(b, frameText, textPrefix, m.Data)
	case v3:
		return appendFrame(b, frameBinary, "\x04", m.Data)
	}
	return appendFrame(b, frameBinary, "", m.Data)
}

// appendTextFrame appends a message as a text frame, a binary one as base64.
func appendTextFrame(b []byte, m *Message, f wireFormat) []byte {
	if !m.Binary {
		return appendMessageFrame(b, m, "4", false)
	}
	prefix := string(binaryMark)
	if f == formatV3Text {
		prefix = base64MessageV3
	}
	return appendFrame(b, frameText, prefix, base64.StdEncoding.AppendEncode(nil, m.Data))
}

func (m *Message) packet() packet {
	return packet{kind: packetMessage, binary: m.Binary, data: m.Data}
}

// packets yields the packets of p, for formats whose encoding is not kept.
func (p *Prepared) packets(yield func(packet) bool) {
	if p.control != 0 {
		yield(packet{kind: p.control})
		return
	}
	for i := range p.messages {
		if !yield(p.messages[i].packet()) {
			return
		}
	}
}
