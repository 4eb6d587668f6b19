package socketio

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Args are the arguments of an event or of an acknowledgement, as the JSON text they came in. They alias the packet:
// those of an [Event] are valid until its handler returns, those handed to the function waiting for an acknowledgement
// until that function returns. Clone keeps them for longer. The zero value has no arguments.
type Args struct {
	text        []byte
	spans       []span // where each argument is in text
	holes       []placeholder
	attachments [][]byte
}

// Len returns how many arguments there are.
func (a *Args) Len() int { return len(a.spans) }

// Raw returns the JSON text of argument i, or nil if there is none. It must not be modified. Where the argument holds
// binary data the text has the protocol's placeholder; Bytes has the data.
func (a *Args) Raw(i int) []byte {
	if i < 0 || i >= len(a.spans) {
		return nil
	}
	raw := a.spans[i].of(a.text)
	return raw[:len(raw):len(raw)]
}

// String returns argument i if it is a JSON string. A lone surrogate in it becomes U+FFFD.
func (a *Args) String(i int) (string, bool) { return unquote(a.Raw(i)) }

// Int returns argument i if it is a JSON number without fraction or exponent that fits.
func (a *Args) Int(i int) (int64, bool) {
	n, err := strconv.ParseInt(string(a.Raw(i)), 10, 64)
	return n, err == nil
}

// Bool returns argument i if it is true or false.
func (a *Args) Bool(i int) (value, ok bool) {
	switch string(a.Raw(i)) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

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

// Bytes returns argument i if it is binary data: an attachment, or {"base64":"..."} from a plain WebSocket. It must not
// be modified.
func (a *Args) Bytes(i int) ([]byte, bool) {
	if i < 0 || i >= len(a.spans) {
		return nil, false
	}
	for _, hole := range a.holes {
		if hole.span == a.spans[i] {
			return a.attachments[hole.num], true
		}
	}
	return nil, false
}

// Value returns argument i to pass on in another event or acknowledgement: the same JSON text, with the attachments it
// refers to. It aliases the packet as Raw does. An argument that does not exist is null.
func (a *Args) Value(i int) Value {
	if i < 0 || i >= len(a.spans) {
		return Value{}
	}
	return Value{args: a, at: a.spans[i]}
}

// Values returns all arguments as a list for Emit or Ack.
func (a *Args) Values() []any {
	values := make([]any, len(a.spans))
	for i := range values {
		values[i] = a.Value(i)
	}
	return values
}

// Clone returns a copy that stays valid.
func (a *Args) Clone() Args {
	clone := Args{
		text:  append([]byte(nil), a.text...),
		spans: append([]span(nil), a.spans...),
		holes: append([]placeholder(nil), a.holes...),
	}
	for _, attachment := range a.attachments {
		clone.attachments = append(clone.attachments, append([]byte{}, attachment...))
	}
	return clone
}

// Value is an argument received, to be passed on by Emit or Ack. The zero value is null.
type Value struct {
	args *Args
	at   span
}
