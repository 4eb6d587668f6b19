package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Appender is an argument that encodes itself: AppendJSON appends one JSON value to dst. The value is not checked.
type Appender interface {
	AppendJSON(dst []byte) []byte
}

// body is the part of an event or acknowledgement that all protocols share. The text lacks the closing
// bracket, because the arguments end differently on a raw WebSocket.
type body struct {
	text         []byte        // `["name",1,{"_placeholder":true,"num":0}`, or for an acknowledgement `[1`
	nameEnd      int           // where the arguments start: behind the name, or behind the bracket
	placeholders []placeholder // in order; each has one attachment, and num is its own index
	attachments  [][]byte
}

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

func (b *body) encodeAck(args []any) error {
	b.text = append(b.text, '[')
	b.nameEnd = len(b.text)
	if err := b.appendArgs(args); err != nil {
		return fmt.Errorf("encode acknowledgement: %w", err)
	}
	return nil
}

// reset empties b, keeps its capacity, and drops the references to the attachments.
func (b *body) reset() {
	clear(b.attachments)
	*b = body{text: b.text[:0], placeholders: b.placeholders[:0], attachments: b.attachments[:0]}
}

// clone returns a copy that shares only the attachments' bytes with b.
func (b *body) clone() body {
	return body{
		text:         bytes.Clone(b.text),
		nameEnd:      b.nameEnd,
		placeholders: append([]placeholder(nil), b.placeholders...),
		attachments:  append([][]byte(nil), b.attachments...),
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

// checkPlaceholders returns an error if JSON among the arguments looks like a placeholder. The
// receiver's parser would replace it with an attachment, or refuse the packet and close the connection.
func (b *body) checkPlaceholders() error {
	found, err := findPlaceholders(append(bytes.Clone(b.text), ']'), len(b.attachments), nil)
	if err == nil && len(found) != len(b.placeholders) {
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
	case Appender:
		b.text = arg.AppendJSON(b.text)
	case json.RawMessage:
		return b.appendJSON(arg)
	default:
		return b.marshal(arg)
	}
	return nil
}

// attach takes data over as an attachment and appends its placeholder to the text.
func (b *body) attach(data []byte) {
	p := placeholder{num: len(b.attachments)}
	p.start = uint32(len(b.text))
	b.text = append(b.text, `{"_placeholder":true,"num":`...)
	b.text = strconv.AppendInt(b.text, int64(p.num), 10)
	b.text = append(b.text, '}')
	p.end = uint32(len(b.text))
	b.placeholders = append(b.placeholders, p)
	b.attachments = append(b.attachments, data)
}

// appendValue appends an argument that was received, and numbers its attachments as this packet's.
func (b *body) appendValue(v Value) {
	if v.args == nil {
		b.text = append(b.text, "null"...)
		return
	}
	from := v.at.start
	for _, p := range v.args.placeholders {
		if p.start < v.at.start || p.end > v.at.end {
			continue
		}
		b.text = append(b.text, v.args.text[from:p.start]...)
		b.attach(bytes.Clone(v.args.attachments[p.num]))
		from = p.end
	}
	b.text = append(b.text, v.args.text[from:v.at.end]...)
}

// trusted are the limits for JSON from the application, which bounds only the depth that the scanner
// can handle.
var trusted = limits{depth: deepest, arguments: math.MaxInt, attachments: math.MaxInt, namespace: math.MaxInt}

func (b *body) appendJSON(raw []byte) error {
	if err := scanDocument(raw, &trusted); err != nil {
		return err
	}
	if !utf8.Valid(raw) {
		return errJSON
	}
	b.text = append(b.text, raw...)
	return nil
}

// marshal appends arg as encoding/json encodes it, but leaves <, > and & as they are.
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

// AppendString appends s as a JSON string, for implementations of [Appender]. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte { return appendString(dst, s) }

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

// appendPacket appends the Socket.IO packet of an event, or the acknowledgement of the client's event
// id. The attachments follow it as messages of their own.
func (b *body) appendPacket(dst []byte, kind packetType, nsp string, id uint64) []byte {
	isAck := kind == packetAck
	if len(b.attachments) > 0 {
		kind += packetBinaryEvent - packetEvent // the binary types follow in the same order
	}
	dst = appendHeader(dst, kind, len(b.attachments), nsp, id, isAck)
	dst = append(dst, b.text...)
	return append(dst, ']')
}
