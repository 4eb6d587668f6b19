package socketio

import "encoding/json"

// This file checks JSON text in one pass, without recursion or allocation. Arguments are passed on as
// the text they arrived in, so nothing builds values from them. The grammar is RFC 8259's: the scanner
// refuses all that JSON.parse does.

// deepest is the greatest nesting that a limit can allow. The scanner keeps one bit per level.
const deepest = 1024

const (
	errJSON          = packetError("invalid JSON")
	errJSONTrailing  = packetError("JSON followed by something else")
	errJSONDepth     = packetError("JSON nested too deep")
	errManyArguments = packetError("too many arguments")
)

// span is a part of a text, from the index of its first byte to the one after its last.
type span struct{ start, end uint32 }

func (s span) of(text []byte) []byte { return text[s.start:s.end] }

// scanDocument checks that text is one JSON value and nothing else.
func scanDocument(text []byte, lim *limits) error {
	end, err := scanValue(text, skipSpace(text, 0), lim.depth)
	if err != nil {
		return err
	}
	return scanEnd(text, end)
}

// scanObject checks that text is one JSON object and nothing else.
func scanObject(text []byte, lim *limits) error {
	if len(text) == 0 || text[0] != '{' {
		return errPayload
	}
	return scanDocument(text, lim)
}

// scanArray checks that text is one JSON array and nothing else, and appends the spans of its elements to args.
func scanArray(text []byte, lim *limits, args []span) ([]span, error) {
	if len(text) == 0 || text[0] != '[' {
		return args, errPayload
	}
	args, end, err := scanElements(text, 0, lim, args)
	if err != nil {
		return args, err
	}
	return args, scanEnd(text, end)
}

func scanEnd(text []byte, i int) error {
	if skipSpace(text, i) != len(text) {
		return errJSONTrailing
	}
	return nil
}

// scanElements checks the array at text[i], appends the spans of its elements to args and returns the
// index of its end.
func scanElements(text []byte, i int, lim *limits, args []span) ([]span, int, error) {
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return args, i + 1, nil
	}
	for first := len(args); ; {
		if len(args)-first == lim.arguments {
			return args, 0, errManyArguments
		}
		end, err := scanValue(text, i, lim.depth-1)
		if err != nil {
			return args, 0, err
		}
		args = append(args, span{uint32(i), uint32(end)})
		i = skipSpace(text, end)
		if i >= len(text) {
			return args, 0, errJSON
		}
		switch text[i] {
		case ',':
			i = skipSpace(text, i+1)
		case ']':
			return args, i + 1, nil
		default:
			return args, 0, errJSON
		}
	}
}

// nesting records for every open level whether it is an object, in one bit each.
type nesting struct {
	levels  int
	objects [deepest / 64]uint64
}

func (n *nesting) push(object bool) {
	word, bit := n.levels/64, uint64(1)<<(n.levels%64)
	if object {
		n.objects[word] |= bit
	} else {
		n.objects[word] &^= bit
	}
	n.levels++
}

func (n *nesting) inObject() bool {
	top := n.levels - 1
	return n.objects[top/64]&(1<<(top%64)) != 0
}

// scanValue checks the JSON value at text[i], nested at most depth levels, and returns the index of its end.
func scanValue(text []byte, i, depth int) (int, error) {
	if i < len(text) && (text[i] == '{' || text[i] == '[') {
		return scanNested(text, i, depth)
	}
	end := -1
	if i < len(text) {
		end = scanScalar(text, i)
	}
	if end < 0 {
		return 0, errJSON
	}
	return end, nil
}

// scanNested is scanValue for an object or array.
func scanNested(text []byte, i, depth int) (int, error) {
	var in nesting
	for {
		// A value starts at i.
		if i >= len(text) {
			return 0, errJSON
		}
		switch c := text[i]; {
		case c == '{' || c == '[':
			if in.levels >= depth {
				return 0, errJSONDepth
			}
			in.push(c == '{')
			i = skipSpace(text, i+1)
			if i < len(text) && text[i] == c+2 { // '}' is '{' + 2, ']' is '[' + 2
				in.levels--
				i++
				break
			}
			if c == '{' {
				var err error
				if i, err = scanKey(text, i); err != nil {
					return 0, err
				}
			}
			continue
		default:
			if i = scanScalar(text, i); i < 0 {
				return 0, errJSON
			}
		}
		// A value ends at i. Close the levels that end with it, and go on to the next value.
		var err error
		if i, err = scanAfter(text, i, &in); err != nil || in.levels == 0 {
			return i, err
		}
	}
}

// scanAfter reads on from a value that ends at text[i]: closing brackets, then a comma and the key of
// an object's next member. It returns the index of the next value, or that of the end when no level is
// left.
func scanAfter(text []byte, i int, in *nesting) (int, error) {
	for in.levels > 0 {
		i = skipSpace(text, i)
		if i >= len(text) {
			return 0, errJSON
		}
		object := in.inObject()
		switch c := text[i]; {
		case c == ',':
			i = skipSpace(text, i+1)
			if object {
				return scanKey(text, i)
			}
			return i, nil
		case (c == '}' && object) || (c == ']' && !object):
			in.levels--
			i++
		default:
			return 0, errJSON
		}
	}
	return i, nil
}

// scanKey checks the name and colon of an object's member at text[i] and returns the index of its value.
func scanKey(text []byte, i int) (int, error) {
	if i >= len(text) || text[i] != '"' {
		return 0, errJSON
	}
	if i = scanString(text, i); i < 0 {
		return 0, errJSON
	}
	i = skipSpace(text, i)
	if i >= len(text) || text[i] != ':' {
		return 0, errJSON
	}
	return skipSpace(text, i+1), nil
}

// scanScalar returns the index of the end of the string, number or literal at text[i], or -1 if there is none.
func scanScalar(text []byte, i int) int {
	switch c := text[i]; {
	case c == '"':
		return scanString(text, i)
	case c == '-' || (c >= '0' && c <= '9'):
		return scanNumber(text, i)
	case c == 't':
		return scanLiteral(text, i, "true")
	case c == 'f':
		return scanLiteral(text, i, "false")
	case c == 'n':
		return scanLiteral(text, i, "null")
	}
	return -1
}

func scanLiteral(text []byte, i int, literal string) int {
	end := i + len(literal)
	if end > len(text) || string(text[i:end]) != literal {
		return -1
	}
	return end
}

func scanString(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = scanEscape(text, i); i < 0 {
				return -1
			}
		case c < ' ':
			return -1
		}
	}
	return -1
}

// scanEscape returns the index of the last byte of the escape sequence at text[i], or -1 if it is malformed.
func scanEscape(text []byte, i int) int {
	i++
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		if i+4 >= len(text) {
			return -1
		}
		for _, c := range text[i+1 : i+5] {
			if !isHex(c) {
				return -1
			}
		}
		return i + 4
	}
	return -1
}

func isHex(c byte) bool {
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')
}

func scanNumber(text []byte, i int) int {
	if text[i] == '-' {
		i++
	}
	switch {
	case i >= len(text):
		return -1
	case text[i] == '0':
		i++
	default:
		if i = scanDigits(text, i); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i] == '.' {
		if i = scanDigits(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return scanDigits(text, i)
	}
	return i
}

// scanDigits returns the index of the end of the digits at text[i], or -1 if there is none.
func scanDigits(text []byte, i int) int {
	start := i
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// unquote decodes raw if it is a JSON string, and reports whether it is.
func unquote(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c == '\\' {
			var s string
			err := json.Unmarshal(raw, &s)
			return s, err == nil
		}
	}
	return string(raw[1 : len(raw)-1]), true
}
