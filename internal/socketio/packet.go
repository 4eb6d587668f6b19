package socketio

import (
	"bytes"
	"strconv"
)

// packetType is the first byte of a packet: Socket.IO v5, "Exchange protocol".
type packetType byte

const (
	packetConnect      packetType = '0'
	packetDisconnect   packetType = '1'
	packetEvent        packetType = '2'
	packetAck          packetType = '3'
	packetConnectError packetType = '4'
	packetBinaryEvent  packetType = '5'
	packetBinaryAck    packetType = '6'
)

// maxID is the greatest integer that JavaScript represents exactly: 2^53 - 1.
const maxID = 1<<53 - 1

// rootNamespace is the main namespace, whose name is left out on the wire.
const rootNamespace = "/"

// packetError is the reason to refuse a packet. Its text reaches the client as the reason of the close.
type packetError string

func (e packetError) Error() string { return string(e) }

const (
	errPacketEmpty       = packetError("empty packet")
	errPacketType        = packetError("unknown packet type")
	errAttachmentCount   = packetError("illegal number of attachments")
	errManyAttachments   = packetError("too many attachments")
	errPacketSize        = packetError("packet too large")
	errNamespaceLength   = packetError("namespace too long")
	errAckID             = packetError("illegal acknowledgement id")
	errPayload           = packetError("illegal payload")
	errEventName         = packetError("illegal event name")
	errPlaceholder       = packetError("illegal placeholder")
	errTextInBinary      = packetError("text where an attachment was due")
	errUnannouncedBinary = packetError("attachment that was not announced")
)

// limits bound what is decoded; Options documents them.
type limits struct {
	depth, arguments, attachments, packetBytes, namespace int
}

// packet is one decoded text packet. Its slices alias the text; the next parse reuses the capacity of args.
type packet struct {
	kind        packetType
	attachments int    // that follow a binary packet
	namespace   []byte // nil for the main one, "/"
	id          uint64
	hasID       bool
	payload     []byte // JSON text; nil if none
	args        []span // the elements of an event's or ack's payload, the event's name included
}

// parse decodes the text of one packet, and checks that the payload is JSON of the shape that its type demands.
// Socket.IO v5, "Packet encoding":
//
//	<packet type>[<# of binary attachments>-][<namespace>,][<acknowledgment id>]
//	[JSON-stringified payload without binary]
func (p *packet) parse(text []byte, lim *limits) error {
	*p = packet{args: p.args[:0]}
	if len(text) == 0 {
		return errPacketEmpty
	}
	p.kind = packetType(text[0])
	if p.kind < packetConnect || p.kind > packetBinaryAck {
		return errPacketType
	}
	rest := text[1:]
	var err error
	if p.isBinary() {
		if rest, err = p.parseAttachments(rest, lim); err != nil {
			return err
		}
	}
	if rest, err = p.parseNamespace(rest, lim); err != nil {
		return err
	}
	if rest, err = p.parseID(rest); err != nil {
		return err
	}
	if len(rest) > 0 {
		p.payload = rest
	}
	return p.parsePayload(lim)
}

func (p *packet) isBinary() bool { return p.kind == packetBinaryEvent || p.kind == packetBinaryAck }

func (p *packet) parseAttachments(text []byte, lim *limits) ([]byte, error) {
	n, rest, ok := cutNumber(text)
	if !ok || len(rest) == 0 || rest[0] != '-' {
		return nil, errAttachmentCount
	}
	if n > uint64(lim.attachments) {
		return nil, errManyAttachments
	}
	p.attachments = int(n)
	return rest[1:], nil
}

func (p *packet) parseNamespace(text []byte, lim *limits) ([]byte, error) {
	if len(text) == 0 || text[0] != '/' {
		return text, nil
	}
	// The comma may be missing where nothing follows, as in "1/admin".
	nsp, rest, _ := bytes.Cut(text, []byte{','})
	// Clients of Socket.IO 2 put a query behind the name, which may hold a token of any length.
	if name, _, _ := bytes.Cut(nsp, []byte{'?'}); len(name) > lim.namespace {
		return nil, errNamespaceLength
	}
	if string(nsp) != rootNamespace {
		p.namespace = nsp
	}
	return rest, nil
}

func (p *packet) parseID(text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] < '0' || text[0] > '9' {
		return text, nil
	}
	id, rest, ok := cutNumber(text)
	if !ok {
		return nil, errAckID
	}
	p.id, p.hasID = id, true
	return rest, nil
}

// parsePayload checks the payload against the rules of Socket.IO v5 for each packet type.
func (p *packet) parsePayload(lim *limits) error {
	switch p.kind {
	case packetConnect:
		if p.hasID {
			return errAckID
		}
		if p.payload == nil {
			return nil
		}
		return scanObject(p.payload, lim)
	case packetDisconnect:
		if p.hasID || p.payload != nil {
			return errPayload
		}
		return nil
	case packetConnectError:
		// Only a server sends it. Its payload is a string for clients of Socket.IO 2 and an object for
		// all others.
		if p.payload == nil || p.hasID {
			return errPayload
		}
		return scanDocument(p.payload, lim)
	case packetEvent, packetBinaryEvent:
		// "The payload is mandatory and MUST be a non-empty array."
		if err := p.parseArgs(lim); err != nil {
			return err
		}
		if len(p.args) == 0 {
			return errPayload
		}
		return checkEventName(p.args[0].of(p.payload))
	default: // ACK, BINARY_ACK: "The payload is mandatory and MUST be an array (possibly empty)."
		if !p.hasID {
			return errAckID
		}
		return p.parseArgs(lim)
	}
}

func (p *packet) parseArgs(lim *limits) error {
	args, err := scanArray(p.payload, lim, p.args)
	p.args = args
	return err
}

// cutNumber reads a decimal number without sign or leading zeros, at most maxID, from the start of text.
func cutNumber(text []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		if n = n*10 + uint64(text[i]-'0'); n > maxID {
			return 0, nil, false
		}
		i++
	}
	if i == 0 || (i > 1 && text[0] == '0') {
		return 0, nil, false
	}
	return n, text[i:], true
}

// checkEventName returns an error unless the JSON text of an event's first element may be its name. As
// in the reference implementation a number may be one, and 1 and "1" are the same event.
func checkEventName(raw []byte) error {
	if raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9') {
		return nil
	}
	if raw[0] != '"' {
		return errEventName
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		name, ok := unquote(raw)
		if !ok || isReserved(name) {
			return errEventName
		}
		return nil
	}
	if isReserved(string(raw[1 : len(raw)-1])) {
		return errEventName
	}
	return nil
}

// isReserved reports whether the official client and server use the name for events of their own, and
// refuse it on the wire.
func isReserved(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// appendHeader appends the part of a packet before its payload. It writes attachments for binary types
// only, the namespace unless it is the main one, and the id if hasID.
func appendHeader(dst []byte, kind packetType, attachments int, nsp string, id uint64, hasID bool) []byte {
	dst = append(dst, byte(kind))
	if kind == packetBinaryEvent || kind == packetBinaryAck {
		dst = strconv.AppendInt(dst, int64(attachments), 10)
		dst = append(dst, '-')
	}
	if nsp != rootNamespace && nsp != "" {
		dst = append(dst, nsp...)
		dst = append(dst, ',')
	}
	if hasID {
		dst = strconv.AppendUint(dst, id, 10)
	}
	return dst
}
