package socketio

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// rawKind is the type of a message on a raw WebSocket.
type rawKind byte

const (
	rawEvent rawKind = iota
	rawAck
	rawConnect
	rawDisconnect
)

const (
	errRawShape  = packetError(`not an object with "event", "ack", "connect" or "disconnect"`)
	errRawKey    = packetError("unknown or repeated key")
	errRawBinary = packetError("binary message")
)

// rawMessage is one decoded message of a raw WebSocket. Its slices alias the text; the next parse
// reuses the capacity of args.
type rawMessage struct {
	kind    rawKind
	event   []byte // JSON text of the name
	id      uint64 // of the event, or of the event that is acknowledged
	hasID   bool
	payload []byte // of connect: JSON text of an object
	args    []span
	seen    rawKeys
}

type rawKeys byte

const (
	keyEvent rawKeys = 1 << iota
	keyAck
	keyConnect
	keyDisconnect
	keyArgs
	keyID
)

// parse decodes one message: an object with exactly the keys of one of
//
//	{"event":"name","args":[...],"id":7}   args and id may be missing
//	{"ack":7,"args":[...]}                 args may be missing
//	{"connect":{...}}
//	{"disconnect":{}}
func (m *rawMessage) parse(text []byte, lim *limits) error {
	*m = rawMessage{args: m.args[:0]}
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		if err := scanDocument(text, lim); err != nil {
			return err
		}
		return errRawShape
	}
	i = skipSpace(text, i+1)
	for closed := i < len(text) && text[i] == '}'; !closed; {
		value, err := scanKey(text, i)
		if err != nil {
			return err
		}
		key, _ := unquote(text[i : i+keyLength(text[i:])])
		end, err := m.parseMember(key, text, value, lim)
		if err != nil {
			return err
		}
		i = skipSpace(text, end)
		switch {
		case i >= len(text):
			return errJSON
		case text[i] == ',':
			i = skipSpace(text, i+1)
		case text[i] == '}':
			closed = true
		default:
			return errJSON
		}
	}
	if err := scanEnd(text, i+1); err != nil {
		return err
	}
	return m.checkShape()
}

// keyLength returns the length of the quoted key at the start of text, which has been checked.
func keyLength(text []byte) int { return scanString(text, 0) }

// parseMember checks and stores the value at text[i] of the member called key, and returns the index of
// its end.
func (m *rawMessage) parseMember(key string, text []byte, i int, lim *limits) (int, error) {
	bit := keyBit(key)
	if bit == 0 || m.seen&bit != 0 {
		return 0, errRawKey
	}
	m.seen |= bit
	if bit == keyArgs {
		if i >= len(text) || text[i] != '[' {
			return 0, errPayload
		}
		var end int
		var err error
		m.args, end, err = scanElements(text, i, lim, m.args)
		return end, err
	}
	end, err := scanValue(text, i, lim.depth)
	if err != nil {
		return 0, err
	}
	raw := text[i:end]
	switch bit {
	case keyEvent:
		m.kind, m.event = rawEvent, raw
		if raw[0] != '"' {
			return 0, errEventName
		}
		return end, checkEventName(raw)
	case keyConnect:
		m.kind, m.payload = rawConnect, raw
	case keyDisconnect:
		m.kind = rawDisconnect
	default: // keyAck, keyID
		if bit == keyAck {
			m.kind = rawAck
		}
		n, rest, ok := cutNumber(raw)
		if !ok || len(rest) > 0 {
			return 0, errAckID
		}
		m.id, m.hasID = n, true
		return end, nil
	}
	if raw[0] != '{' {
		return 0, errPayload
	}
	return end, nil
}

func keyBit(key string) rawKeys {
	switch key {
	case "event":
		return keyEvent
	case "ack":
		return keyAck
	case "connect":
		return keyConnect
	case "disconnect":
		return keyDisconnect
	case "args":
		return keyArgs
	case "id":
		return keyID
	}
	return 0
}

// checkShape returns an error unless the keys seen make one of the four messages.
func (m *rawMessage) checkShape() error {
	optional := rawKeys(0)
	switch m.seen & (keyEvent | keyAck | keyConnect | keyDisconnect) {
	case keyEvent:
		optional = keyArgs | keyID
	case keyAck:
		optional = keyArgs
	case keyConnect, keyDisconnect:
	default:
		return errRawShape
	}
	if m.seen&(keyArgs|keyID)&^optional != 0 {
		return errRawShape
	}
	return nil
}

// decodeBase64 makes attachments of the arguments that are {"base64":"..."} and nothing else. The
// caller has set a's text and spans.
func (a *Args) decodeBase64(lim *limits) error {
	for _, at := range a.spans {
		data, ok := base64Argument(at.of(a.text))
		if !ok {
			continue
		}
		if len(a.attachments) == lim.attachments {
			return errManyAttachments
		}
		a.placeholders = append(a.placeholders, placeholder{at, len(a.attachments)})
		a.attachments = append(a.attachments, data)
	}
	return nil
}

// base64Argument returns the data of the JSON text raw if it is {"base64":"..."} and nothing else.
func base64Argument(raw []byte) ([]byte, bool) {
	if raw[0] != '{' {
		return nil, false
	}
	i := skipSpace(raw, 1)
	rest, ok := bytes.CutPrefix(raw[i:], []byte(`"base64"`))
	if !ok {
		return nil, false
	}
	rest = rest[skipSpace(rest, 0)+1:] // behind the colon
	rest = rest[skipSpace(rest, 0):]
	end := -1
	if rest[0] == '"' {
		end = scanString(rest, 0)
	}
	if end < 0 || rest[skipSpace(rest, end)] != '}' {
		return nil, false
	}
	encoded := rest[1 : end-1]
	if bytes.ContainsAny(encoded, "\\\r\n") { // the decoder would skip line breaks
		return nil, false
	}
	data, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil, false
	}
	return data, true
}

// appendRawMessage appends an event, or the acknowledgement of the client's event id, as a raw
// WebSocket gets it.
func (b *body) appendRawMessage(dst []byte, kind packetType, id uint64) []byte {
	if kind == packetAck {
		dst = append(dst, `{"ack":`...)
		dst = strconv.AppendUint(dst, id, 10)
	} else {
		dst = append(dst, `{"event":`...)
		dst = append(dst, b.text[1:b.nameEnd]...)
	}
	dst = append(dst, `,"args":[`...)
	from := b.nameEnd
	if from < len(b.text) && b.text[from] == ',' {
		from++
	}
	for _, p := range b.placeholders {
		dst = append(dst, b.text[from:p.start]...)
		dst = append(dst, `{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, b.attachments[p.num])
		dst = append(dst, `"}`...)
		from = int(p.end)
	}
	dst = append(dst, b.text[from:]...)
	return append(dst, ']', '}')
}
