package socketio

import (
	"encoding/json"
	"fmt"
)

// Args are the arguments of an event, as the JSON text they arrived in. They alias the packet and are
// valid until the event's handler returns. The zero value has no arguments.
type Args struct {
	text         []byte
	spans        []span // of each argument in text
	placeholders []placeholder
	attachments  [][]byte
}

// Raw returns the JSON text of argument i, or nil if there is none. It must not be modified. If the
// argument holds binary data the text has the protocol's placeholder in its stead.
func (a *Args) Raw(i int) []byte {
	if i < 0 || i >= len(a.spans) {
		return nil
	}
	raw := a.spans[i].of(a.text)
	return raw[:len(raw):len(raw)]
}

// String returns argument i if it is a JSON string. A lone surrogate in it becomes U+FFFD.
func (a *Args) String(i int) (string, bool) { return unquote(a.Raw(i)) }

// Decode stores argument i in the value that v points to, as [json.Unmarshal] does.
func (a *Args) Decode(i int, v any) error {
	raw := a.Raw(i)
	if raw == nil {
		return fmt.Errorf("decode argument %d of %d: no such argument", i, len(a.spans))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("decode argument %d: %w", i, err)
	}
	return nil
}

// Values returns all arguments as a list for Emit or Ack.
func (a *Args) Values() []any {
	values := make([]any, len(a.spans))
	for i, at := range a.spans {
		values[i] = Value{args: a, at: at}
	}
	return values
}

// Value is an argument that was received and can be passed on by Emit or Ack: the same JSON text, with
// the attachments it refers to. It aliases the packet as [Args.Raw] does. The zero value is null.
type Value struct {
	args *Args
	at   span
}
