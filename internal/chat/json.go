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

// next separates what comes from what is there already, in an object or in a list.
func (o *object) next() {
	if last := o.dst[len(o.dst)-1]; last != '{' && last != '[' {
		o.dst = append(o.dst, ',')
	}
}

func (o *object) key(name string) {
	o.next()
	o.dst = append(append(append(o.dst, '"'), name...), '"', ':')
}

// list begins a list, which endList ends. Each element comes behind a call of next.
func (o *object) list(name string) {
	o.key(name)
	o.dst = append(o.dst, '[')
}

func (o *object) endList() { o.dst = append(o.dst, ']') }

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

// mark appends a flag that is there only if it is set.
func (o *object) mark(name string, set bool) {
	if set {
		o.flag(name, true)
	}
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
	o.mark("duplicate", s.Duplicate)
	o.mark("unsaved", s.Unsaved)
	o.millis("latency", s.Latency)
	o.end()
	return o.dst
}

// jsonText is a text as an argument that is part of something larger.
type jsonText string

// AppendJSON implements socketio.Appender.
func (t *jsonText) AppendJSON(dst []byte) []byte { return socketio.AppendString(dst, string(*t)) }

// historyEvent is a historyView as the argument of "history". The view itself can't append itself, because it is part
// of an acknowledgement.
type historyEvent historyView

// AppendJSON implements socketio.Appender.
func (v historyEvent) AppendJSON(dst []byte) []byte {
	o := object{dst}
	o.begin()
	o.list("messages")
	for i := range v.Messages {
		o.next()
		v.Messages[i].append(&o)
	}
	o.endList()
	o.flag("more", v.More)
	o.mark("dropped", v.Dropped)
	o.mark("reset", v.Reset)
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
	for _, name := range slices.Sorted(slices.Values(names)) {
		o.next()
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
		o.list("away")
		for _, name := range m.Away {
			o.next()
			o.dst = socketio.AppendString(o.dst, name)
		}
		o.endList()
	}
	o.mark("more", m.More)
	o.end()
	return o.dst
}
