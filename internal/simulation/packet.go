package simulation

import (
	"encoding/json"
	"strconv"
	"strings"
)

// packet is what a user was sent.
type packet struct {
	kind  byte // '0' connected, '1' disconnected, '2' event, '3' acknowledgement
	id    int  // of an acknowledgement
	event string
	args  []json.RawMessage
}

// read decodes a packet of Socket.IO. What several users have received is decoded once.
func (w *world) read(data []byte) packet {
	if p, ok := w.parsed[&data[0]]; ok {
		return p
	}
	p := parse(data)
	if p.kind == '2' {
		if len(w.parsed) >= 64 {
			clear(w.parsed)
		}
		w.parsed[&data[0]] = p
	}
	return p
}

func parse(data []byte) packet {
	p := packet{kind: data[0]}
	text := string(data[1:])
	switch p.kind {
	case '0':
		p.args = []json.RawMessage{json.RawMessage(text)}
		return p
	case '3':
		if i := strings.IndexByte(text, '['); i >= 0 {
			p.id, _ = strconv.Atoi(text[:i])
			text = text[i:]
		}
	}
	_ = json.Unmarshal([]byte(text), &p.args) // the server's own encoder made it
	if p.kind == '2' && len(p.args) > 0 {
		p.event, p.args = p.text(0), p.args[1:]
	}
	return p
}

// text returns an argument that is a string; "" for another.
func (p *packet) text(i int) string {
	var s string
	p.decode(i, &s)
	return s
}

// decode decodes an argument, if there is one.
func (p *packet) decode(i int, v any) {
	if i < len(p.args) {
		_ = json.Unmarshal(p.args[i], v) // another type leaves v as it is
	}
}

// offset returns the last argument if that is a string: the position behind the event.
func (p *packet) offset() string {
	if n := len(p.args); n > 0 && p.args[n-1][0] == '"' {
		return p.text(n - 1)
	}
	return ""
}
