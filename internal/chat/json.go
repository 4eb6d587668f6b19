package chat

import (
	"slices"
	"strconv"

	"chatapp/internal/socketio"
)

// object appends a JSON object, field by field. Events whose encoding is a large part of what they cost are encoded by
// it, as encoding/json does it by their tags, in a fifth of the time.
type object struct{ dst []byte }

func (o *object) begin() { o.dst = append(o.dst, '{') }
func (o *object) end()   { o.dst = append(o.dst, '}') }

func (o *object) key(name string) {
	if o.dst[len(o.dst)-1] != '{' {
		o.dst = append(o.dst, ',')
	}
	o.dst = append(append(append(o.dst, '"'), name...), '"', ':')
}

func (o *object) text(name, value string) {
	o.key(name)
	o.dst = socketio.AppendString(o.dst, value)
}

// optional appends a text unless it is empty.
func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) number(name string, value int64) {
	o.key(name)
	o.dst = strconv.AppendInt(o.dst, value, 10)
}

func (o *object) flag(name string, value bool) {
	o.key(name)
	o.dst = strconv.AppendBool(o.dst, value)
}

// millis appends a time in ms, whose least digit is a thousandth.
func (o *object) millis(name string, value float64) {
	o.key(name)
	o.dst = strconv.AppendFloat(o.dst, value, 'f', -1, 64)
}

// AppendJSON implements socketio.Appender.
func (m meta) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	o.text("id", m.ID)
	o.number("time", m.Time)
	o.text("room", m.Room)
	o.optional("instance", m.Instance)
	o.optional("cid", m.CID)
	o.optional("replaces", m.Replaces)
	o.end()
	return o.dst
}

// AppendJSON implements socketio.Appender.
func (s said) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	o.flag("ok", s.OK)
	o.text("id", s.ID)
	o.number("time", s.Time)
	o.text("room", s.Room)
	o.text("cid", s.CID)
	if s.Duplicate {
		o.flag("duplicate", true)
	}
	if s.Unsaved {
		o.flag("unsaved", true)
	}
	o.millis("latency", s.Latency)
	o.end()
	return o.dst
}

// historyEvent is a historyView as the argument of "history". The view itself can't append itself, because it is part
// of an acknowledgement.
type historyEvent historyView

// AppendJSON implements socketio.Appender.
func (v historyEvent) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	o.key("messages")
	o.dst = append(o.dst, '[')
	for i := range v.Messages {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		v.Messages[i].append(&o)
	}
	o.dst = append(o.dst, ']')
	o.flag("more", v.More)
	if v.Dropped {
		o.flag("dropped", true)
	}
	if v.Reset {
		o.flag("reset", true)
	}
	o.end()
	return o.dst
}

func (v *lineView) append(o *object) {
	o.begin()
	o.text("kind", v.Kind)
	o.text("id", v.ID)
	o.number("time", v.Time)
	o.text("room", v.Room)
	o.text("from", v.From)
	o.optional("was", v.Was)
	o.text("text", v.Text)
	o.optional("cid", v.CID)
	o.optional("instance", v.Instance)
	o.end()
}

// AppendJSON implements socketio.Appender. It appends the names, which are different from each other, in their order.
func (names rosterNames) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	for i, name := range slices.Sorted(slices.Values(names)) {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = append(socketio.AppendString(o.dst, name), ':')
		o.dst = socketio.AppendString(o.dst, name)
	}
	o.end()
	return o.dst
}

// AppendJSON implements socketio.Appender.
func (m rosterMeta) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	o.text("room", m.Room)
	o.number("users", int64(m.Users))
	if len(m.Away) > 0 {
		o.key("away")
		o.dst = append(o.dst, '[')
		for i, name := range m.Away {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.dst = socketio.AppendString(o.dst, name)
		}
		o.dst = append(o.dst, ']')
	}
	if m.More {
		o.flag("more", true)
	}
	o.end()
	return o.dst
}
