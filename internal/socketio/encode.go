package socketio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Raw is an argument that is JSON text already. Emit checks it; it is sent as it is.
type Raw []byte

// body is the part of an event or acknowledgement that is the same for every client: its JSON, cut where the doors
// differ. The text lacks its closing bracket, so that an offset can still be added.
type body struct {
	text        []byte        // `["name",1,{"_placeholder":true,"num":0}`, or for an acknowledgement `[1`
	nameEnd     int           // where the arguments start: behind the name, or behind the bracket
	holes       []placeholder // in order; each is one attachment, num is its own index
	attachments [][]byte
}

// encodeEvent fills b with an event.
func (b *body) encodeEvent(event string, args []any) error {
	if isReserved(event) {
		return fmt.Errorf("encode event %q: %w", event, ErrReservedEvent)
	}
	b.text = appendString(append(b.text, '['), event)
	b.nameEnd = len(b.text)
	if err := b.appendArgs(args); err != nil {
		return fmt.Errorf("encode event %q: %w", event, err)
	}
	return nil
}

// encodeAck fills b with the arguments of an acknowledgement.
func (b *body) encodeAck(args []any) error {
	b.text = append(b.text, '[')
	b.nameEnd = len(b.text)
	if err := b.appendArgs(args); err != nil {
		return fmt.Errorf("encode acknowledgement: %w", err)
	}
	return nil
}

// reset empties b, keeping its room, and lets go of the attachments.
func (b *body) reset() {
	clear(b.attachments)
	*b = body{text: b.text[:0], holes: b.holes[:0], attachments: b.attachments[:0]}
}

// clone returns a copy that shares nothing with b but the attachments' bytes.
func (b *body) clone() body {
	return body{
		text:        bytes.Clone(b.text),
		nameEnd:     b.nameEnd,
		holes:       append([]placeholder(nil), b.holes...),
		attachments: append([][]byte(nil), b.attachments...),
	}
}

func (b *body) appendArgs(args []any) error {
	for i, arg := range args {
		if len(b.text) > 1 {
			b.text = append(b.text, ',')
		}
		if err := b.appendArg(arg); err != nil {
			return fmt.Errorf("argument %d: %w", i, err)
		}
	}
	if len(b.attachments) == 0 {
		return nil
	}
	return b.checkPlaceholders()
}

// checkPlaceholders finds JSON among the arguments that would be taken for one of our own placeholders: the receiver's
// parser would put an attachment in its stead, or refuse the packet and close the receiver.
func (b *body) checkPlaceholders() error {
	found, err := findPlaceholders(append(bytes.Clone(b.text), ']'), len(b.attachments), nil)
	if err == nil && len(found) != len(b.holes) {
		err = errPlaceholder
	}
	return err
}

func (b *body) appendArg(arg any) error {
	switch arg := arg.(type) {
	case nil:
		b.text = append(b.text, "null"...)
	case string:
		b.text = appendString(b.text, arg)
	case bool:
		b.text = strconv.AppendBool(b.text, arg)
	case int:
		b.text = strconv.AppendInt(b.text, int64(arg), 10)
	case int64:
		b.text = strconv.AppendInt(b.text, arg, 10)
	case uint64:
		b.text = strconv.AppendUint(b.text, arg, 10)
	case []byte:
		b.attach(bytes.Clone(arg))
	case Value:
		b.appendValue(arg)
	case Raw:
		return b.appendRaw(arg)
	case json.RawMessage:
		return b.appendRaw(arg)
	default:
		return b.marshal(arg)
	}
	return nil
}

// attach appends data as an attachment and its placeholder to the text. data belongs to b from now on.
func (b *body) attach(data []byte) {
	hole := placeholder{num: len(b.attachments)}
	hole.start = uint32(len(b.text))
	b.text = append(b.text, `{"_placeholder":true,"num":`...)
	b.text = strconv.AppendInt(b.text, int64(hole.num), 10)
	b.text = append(b.text, '}')
	hole.end = uint32(len(b.text))
	b.holes = append(b.holes, hole)
	b.attachments = append(b.attachments, data)
}

// appendValue passes on an argument that was received, its attachments under numbers of this packet.
func (b *body) appendValue(v Value) {
	if v.args == nil {
		b.text = append(b.text, "null"...)
		return
	}
	from := v.at.start
	for _, hole := range v.args.holes {
		if hole.start < v.at.start || hole.end > v.at.end {
			continue
		}
		b.text = append(b.text, v.args.text[from:hole.start]...)
		b.attach(bytes.Clone(v.args.attachments[hole.num]))
		from = hole.end
	}
	b.text = append(b.text, v.args.text[from:v.at.end]...)
}

// trusted are the limits for JSON that the application made: it may be as large as it likes.
var trusted = limits{depth: deepest, arguments: math.MaxInt, attachments: math.MaxInt, namespace: math.MaxInt}

func (b *body) appendRaw(raw []byte) error {
	if err := scanDocument(raw, &trusted); err != nil {
		return err
	}
	if !utf8.Valid(raw) {
		return errJSON
	}
	b.text = append(b.text, raw...)
	return nil
}

// marshal appends what encoding/json makes of arg, leaving <, > and & as they are.
func (b *body) marshal(arg any) error {
	buffer := bytes.NewBuffer(b.text)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(arg); err != nil {
		return err
	}
	b.text = bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})
	return nil
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	clean := 0 // s[clean:i] needs no escape
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[clean:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			clean = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[clean:i]...), "\uFFFD"...)
			clean = i + 1
		}
		i += size
	}
	return append(append(dst, s[clean:]...), '"')
}

// appendPacket appends the Socket.IO packet of an event or acknowledgement; the attachments follow it as messages of
// their own. kind is packetEvent or packetAck.
func (b *body) appendPacket(dst []byte, kind packetType, nsp string, id uint64, hasID bool) []byte {
	if len(b.attachments) > 0 {
		kind += packetBinaryEvent - packetEvent // the binary types follow in the same order
	}
	dst = appendHeader(dst, kind, len(b.attachments), nsp, id, hasID)
	dst = append(dst, b.text...)
	return append(dst, ']')
}

// appendBare appends the object that is an event or acknowledgement at the plain WebSocket's door.
func (b *body) appendBare(dst []byte, kind packetType, id uint64, hasID bool) []byte {
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
	for _, hole := range b.holes {
		dst = append(dst, b.text[from:hole.start]...)
		dst = append(dst, `{"base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, b.attachments[hole.num])
		dst = append(dst, `"}`...)
		from = int(hole.end)
	}
	dst = append(dst, b.text[from:]...)
	dst = append(dst, ']')
	if kind == packetEvent && hasID {
		dst = append(dst, `,"id":`...)
		dst = strconv.AppendUint(dst, id, 10)
	}
	return append(dst, '}')
}
