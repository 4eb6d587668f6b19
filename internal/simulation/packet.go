package simulation

import (
	"strconv"
	"strings"
)

// packet is what a user was sent. The texts in a simulation have no quotation marks, so that the fields of a packet
// are found by their names, which takes a tenth of the time of decoding it.
type packet struct {
	kind   byte   // '0' connected, '1' disconnected, '2' event, '3' acknowledgement
	id     int    // of an acknowledgement
	event  string // its name
	offset string // the last argument, if that is a string
	text   string
	list   []string // what it is about: ids of the lines of a history, names of a roster
	line   line     // of "user message"
}

// line are the fields of a message.
type line struct{ id, room, cid, replaces string }

// read decodes a packet of Socket.IO. An event that several users have received, on any instance, is decoded once.
func (w *world) read(data []byte) *packet {
	if p := w.parsed[string(data)]; p != nil {
		return p
	}
	text := string(data)
	p := parse(text)
	if p.kind == '2' {
		if len(w.parsed) >= 1024 {
			clear(w.parsed)
		}
		w.parsed[text] = p
	}
	return p
}

func parse(text string) *packet {
	p := &packet{kind: text[0], text: text[1:]}
	switch p.kind {
	case '3':
		id, _, _ := strings.Cut(p.text, "[")
		p.id, _ = strconv.Atoi(id)
	case '2':
		p.event, _, _ = strings.Cut(p.text[2:], `"`)
		if p.event == "status" {
			return p
		}
	}
	if text, ok := strings.CutSuffix(p.text, `"]`); ok {
		p.offset = text[strings.LastIndexByte(text, '"')+1:]
	}
	switch p.event {
	case "user message":
		p.line = line{id: p.offset, room: p.field("room"), cid: p.field("cid"), replaces: p.field("replaces")}
	case "history":
		p.list = fields(p.text, `"id":"`)
	case "nicknames":
		people, _, _ := strings.Cut(p.text, "},{")
		for i, name := range strings.Split(people, `"`) {
			if i >= 5 && i%4 == 1 { // ["nicknames",{"name":"name",...
				p.list = append(p.list, name)
			}
		}
	}
	return p
}

// fields returns the values of all fields that begin with key, which includes the quotation mark before the value.
func fields(text, key string) (values []string) {
	for {
		_, after, ok := strings.Cut(text, key)
		if !ok {
			return values
		}
		end := strings.IndexByte(after, '"')
		values = append(values, after[:end])
		text = after[end:]
	}
}

// field returns the value of the first field of a name that is a string; "" if there is none.
func (p *packet) field(name string) string {
	_, after, ok := strings.Cut(p.text, `"`+name+`":"`)
	if !ok {
		return ""
	}
	return after[:strings.IndexByte(after, '"')]
}

// strings returns the value of the first field of a name that is a list of strings.
func (p *packet) strings(name string) []string {
	_, after, ok := strings.Cut(p.text, `"`+name+`":[`)
	if !ok {
		return nil
	}
	list, _, _ := strings.Cut(after, "]")
	if list == "" {
		return nil
	}
	return strings.Split(strings.Trim(list, `"`), `","`)
}

// ok reports whether an acknowledgement grants what was requested.
func (p *packet) ok() bool { return strings.Contains(p.text, `{"ok":true`) }
