package main

import (
	"bytes"
	"encoding/json"

	"chatapp/internal/chatclient"
)

// deliveryPrefix is what stands before the author of a user message, eventPrefix what stands before
// an event's name.
var (
	deliveryPrefix = [...][]byte{
		chatclient.SocketIO: []byte(`42["user message","`),
		chatclient.Raw:      []byte(`{"event":"user message","args":["`),
	}
	eventPrefix = [...][]byte{
		chatclient.SocketIO: []byte(`42["`),
		chatclient.Raw:      []byte(`{"event":"`),
	}
)

// deliveredText returns the text of an event if that is a user message. The text may alias the payload.
func deliveredText(p chatclient.Protocol, payload []byte) (text []byte, ok bool) {
	if text, ok := quickText(payload, deliveryPrefix[p]); ok {
		return text, true
	}
	if isOther(payload, eventPrefix[p]) {
		return nil, false
	}
	m, err := p.Parse(payload)
	if err != nil || m.Event != eventUserMessage || len(m.Args) < 2 {
		return nil, false
	}
	var decoded string
	if json.Unmarshal(m.Args[1], &decoded) != nil {
		return nil, false
	}
	return []byte(decoded), true
}

// quickText reads a user message written without white space whose author and text need no
// unescaping, as all of this program's do. It decodes nothing that nobody looks at, because a
// million messages come in a second.
func quickText(payload, prefix []byte) (text []byte, ok bool) {
	if !bytes.HasPrefix(payload, prefix) {
		return nil, false
	}
	rest := payload[len(prefix):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || !bytes.HasPrefix(rest[end:], []byte(`","`)) {
		return nil, false
	}
	text = rest[end+len(`","`):]
	end = bytes.IndexByte(text, '"')
	if end < 0 || bytes.IndexByte(text[:end], '\\') >= 0 {
		return nil, false
	}
	return text[:end], true
}

// isOther reports whether a message is an event that nobody counts. It decodes nothing: some events
// are lists of thousands of names.
func isOther(payload, prefix []byte) bool {
	rest, ok := bytes.CutPrefix(payload, prefix)
	end := bytes.IndexAny(rest, "\"\\")
	return ok && end >= 0 && rest[end] == '"' && string(rest[:end]) != eventUserMessage
}
