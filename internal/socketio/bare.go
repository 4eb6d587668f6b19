package socketio

import (
	"bytes"
	"encoding/base64"
)

// bareKind is what an object at the plain WebSocket's door means.
type bareKind byte

const (
	bareEvent bareKind = iota
	bareAck
	bareConnect
	bareDisconnect
)

const (
	errBareShape  = packetError(`not an object with "event", "ack", "connect" or "disconnect"`)
	errBareKey    = packetError("unknown or repeated key")
	errBareBinary = packetError("binary message")
)

// bareMessage is one decoded message of the plain WebSocket's door. Its slices alias the text; args' room is reused by
// the next parse.
type bareMessage struct {
	kind    bareKind
	event   []byte // JSON text of the name
	id      uint64 // of the event, or of the event that is acknowledged
	hasID   bool
	payload []byte // of connect: JSON text of an object
	args    []span
	seen    bareKeys
}

type bareKeys byte

const (
	keyEvent bareKeys = 1 << iota
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
func (m *bareMessage) parse(text []byte, lim *limits) error {
	*m = bareMessage{args: m.args[:0]}
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		if err := scanDocument(text, lim); err != nil {
			return err
		}
		return errBareShape
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

// keyLength is the length of the quoted key that text starts with, which has been checked.
func keyLength(text []byte) int { return scanString(text, 0) }

// parseMember checks the value at text[i] of the member called key, notes it, and returns where it ends.
func (m *bareMessage) parseMember(key string, text []byte, i int, lim *limits) (int, error) {
	bit := keyBit(key)
	if bit == 0 || m.seen&bit != 0 {
		return 0, errBareKey
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
		m.kind, m.event = bareEvent, raw
		if raw[0] != '"' {
			return 0, errEventName
		}
		return end, checkEventName(raw)
	case keyConnect:
		m.kind, m.payload = bareConnect, raw
	case keyDisconnect:
		m.kind = bareDisconnect
	default: // keyAck, keyID
		if bit == keyAck {
			m.kind = bareAck
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

func keyBit(key string) bareKeys {
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

// checkShape tells whether the keys seen make one of the four messages.
func (m *bareMessage) checkShape() error {
	optional := bareKeys(0)
	switch m.seen & (keyEvent | keyAck | keyConnect | keyDisconnect) {
	case keyEvent:
		optional = keyArgs | keyID
	case keyAck:
		optional = keyArgs
	case keyConnect, keyDisconnect:
	default:
		return errBareShape
	}
	if m.seen&(keyArgs|keyID)&^optional != 0 {
		return errBareShape
	}
	return nil
}

// appendBinary finds the arguments that are binary data, {"base64":"..."} and nothing else, and adds them to a as
// attachments; a's text and spans are set already.
func (a *Args) appendBinary(lim *limits) error {
	for _, at := range a.spans {
		data, ok := bareBinary(at.of(a.text))
		if !ok {
			continue
		}
		if len(a.attachments) == lim.attachments {
			return errManyAttachments
		}
		a.holes = append(a.holes, placeholder{at, len(a.attachments)})
		a.attachments = append(a.attachments, data)
	}
	return nil
}

// bareBinary is the data that the JSON text raw stands for, if it stands for data.
func bareBinary(raw []byte) ([]byte, bool) {
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
