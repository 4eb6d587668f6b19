package socketio

import (
	"math"
	"slices"
)

// placeholder is the span of {"_placeholder":true,"num":0} in an event's JSON, which stands for an attachment.
type placeholder struct {
	span
	num int // index of the attachment
}

// object is an object or array that is open at findPlaceholders' position.
type object struct {
	start  int
	before int // how many placeholders were found before it started
	marked bool
	num    int // -1: none that could be one
}

// findPlaceholders appends the placeholders in text to found, in their order. The caller has checked
// that text is JSON. As in the reference implementation any object whose "_placeholder" is true is one,
// whatever else it holds; its "num" must then be the index of an attachment. The last of several
// members of one name counts, as for JSON.parse. Two placeholders for one attachment, which no encoder
// makes, are an error: passed on, the packet could become many times as large.
func findPlaceholders(text []byte, attachments int, found []placeholder) ([]placeholder, error) {
	var few [16]object
	open := few[:0]
	for i := 0; i < len(text); {
		switch text[i] {
		case '{', '[':
			open = append(open, object{start: i, before: len(found), num: -1})
			i++
		case '"':
			end := scanString(text, i)
			value := skipSpace(text, end)
			if value < len(text) && text[value] == ':' {
				value = skipSpace(text, value+1)
				open[len(open)-1].member(text[i:end], text[value:])
			}
			i = value
		case '}', ']':
			i++
			top := open[len(open)-1]
			open = open[:len(open)-1]
			if !top.marked {
				break
			}
			if top.num < 0 || top.num >= attachments {
				return found, errPlaceholder
			}
			// Placeholders inside a placeholder are replaced with it.
			found = found[:top.before]
			if slices.ContainsFunc(found, func(p placeholder) bool { return p.num == top.num }) {
				return found, errPlaceholder
			}
			found = append(found, placeholder{span{uint32(top.start), uint32(i)}, top.num})
		default:
			i++
		}
	}
	return found, nil
}

// member stores one member of the object if it is a placeholder's. value starts with the member's value.
func (o *object) member(key, value []byte) {
	switch name, _ := unquote(key); name {
	case "_placeholder":
		o.marked = value[0] == 't'
	case "num":
		o.num = -1
		n, rest, ok := cutNumber(value)
		if ok && n <= math.MaxInt32 && len(rest) > 0 && rest[0] != '.' && rest[0] != 'e' && rest[0] != 'E' {
			o.num = int(n)
		}
	}
}
