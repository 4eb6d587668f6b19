package amqp

import (
	"math"
	"slices"
	"time"
)

// composite writes a described list, which every performative and every section with fields is: a descriptor, then the
// fields in order. It omits null fields at the end, as AMQP 1.0 part 1, 1.4 allows.
type composite struct {
	list Compound

	// kept is the state of list after the last field that is not null.
	keptLen, keptCount int
}

func beginComposite(dst []byte, descriptor uint8) composite {
	dst = append(dst, byte(codeDescribed), byte(codeSmallUlong), descriptor)
	w := composite{list: beginCompound(dst, codeList8)}
	w.keptLen = len(w.list.Bytes)
	return w
}

func (w *composite) null() {
	w.list.Bytes = append(w.list.Bytes, byte(CodeNull))
	w.list.Count++
}

// set stores the list's bytes, to which one field was appended.
func (w *composite) set(b []byte) {
	w.list.Bytes = b
	w.list.Count++
	w.keptLen, w.keptCount = len(b), w.list.Count
}

func (w *composite) bool(v bool)   { w.set(AppendBool(w.list.Bytes, v)) }
func (w *composite) ubyte(v uint8) { w.set(append(w.list.Bytes, byte(CodeUbyte), v)) }
func (w *composite) ushort(v uint16) {
	w.set(append(w.list.Bytes, byte(CodeUshort), byte(v>>8), byte(v)))
}
func (w *composite) uint(v uint32)    { w.set(AppendUint(w.list.Bytes, v)) }
func (w *composite) ulong(v uint64)   { w.set(AppendUlong(w.list.Bytes, v)) }
func (w *composite) binary(v []byte)  { w.set(AppendBinary(w.list.Bytes, v)) }
func (w *composite) string(v string)  { w.set(AppendString(w.list.Bytes, v)) }
func (w *composite) symbol(v Symbol)  { w.set(AppendSymbol(w.list.Bytes, v)) }
func (w *composite) time(v time.Time) { w.set(AppendTimestamp(w.list.Bytes, v)) }

// value writes any field; nil is null.
func (w *composite) value(v any) {
	if v == nil {
		w.null()
		return
	}
	w.set(AppendValue(w.list.Bytes, v))
}

// flag writes a boolean field whose default is false.
func (w *composite) flag(v bool) {
	if !v {
		w.null()
		return
	}
	w.bool(true)
}

func (w *composite) optBool(v Optional[bool]) {
	if !v.Set {
		w.null()
		return
	}
	w.bool(v.Value)
}

// optString writes a string field that is absent when empty.
func (w *composite) optString(v string) {
	if v == "" {
		w.null()
		return
	}
	w.string(v)
}

func (w *composite) optUint(v Optional[uint32]) {
	if !v.Set {
		w.null()
		return
	}
	w.uint(v.Value)
}

// fieldMap writes a map field that is absent when nil.
func (w *composite) fieldMap(m Map) {
	if m == nil {
		w.null()
		return
	}
	w.value(m)
}

// symbols writes a field that may hold several symbols: an array (AMQP 1.0 part 1, 1.4, "multiple"), absent when empty.
func (w *composite) symbols(s []Symbol) {
	if len(s) == 0 {
		w.null()
		return
	}
	code := codeSymbol8
	if slices.ContainsFunc(s, func(v Symbol) bool { return len(v) > math.MaxUint8 }) {
		code = CodeSymbol
	}
	w.value(ArrayOf(code, s...))
}

// end completes the list without the nulls after the last field that is set.
func (w *composite) end() []byte {
	w.list.Bytes, w.list.Count = w.list.Bytes[:w.keptLen], w.keptCount
	return w.list.End()
}

// endWhole completes the list with the nulls after the last field that is set.
func (w *composite) endWhole() []byte { return w.list.End() }

// fields reads the fields of a described list one after the other. A field that is null or beyond the end of the list
// yields its zero value.
type fields struct {
	decoder
	left int
}

// next returns the constructor of the next field. It reports false if there is no field or the field is null.
func (f *fields) next() (Code, bool) {
	if f.left == 0 || f.err != nil {
		return 0, false
	}
	f.left--
	code := f.code()
	return code, f.err == nil && code != CodeNull
}

func (f *fields) bool() bool {
	code, ok := f.next()
	return ok && f.boolean(code)
}

func (f *fields) optBool() (v Optional[bool]) {
	if code, ok := f.next(); ok {
		v = Some(f.boolean(code))
	}
	return v
}

func (f *fields) optUbyte() (v Optional[uint8]) {
	code, ok := f.next()
	if !ok {
		return v
	}
	if code != CodeUbyte {
		f.fail("constructor %#02x where a ubyte belongs", byte(code))
		return v
	}
	return Some(f.decoder.uint8())
}

func (f *fields) optUshort() (v Optional[uint16]) {
	code, ok := f.next()
	if !ok {
		return v
	}
	if code != CodeUshort {
		f.fail("constructor %#02x where a ushort belongs", byte(code))
		return v
	}
	return Some(f.decoder.uint16())
}

func (f *fields) optUint() (v Optional[uint32]) {
	if code, ok := f.next(); ok {
		v = Some(f.decoder.uint(code))
	}
	return v
}

// requiredUint reads a mandatory uint.
func (f *fields) requiredUint(name string) uint32 {
	v := f.optUint()
	if !v.Set && f.err == nil {
		f.fail("the field %s is missing", name)
	}
	return v.Value
}

func (f *fields) ulong() uint64 {
	if code, ok := f.next(); ok {
		return f.decoder.ulong(code)
	}
	return 0
}

// binary reads a binary field, nil when absent. It aliases the input.
func (f *fields) binary() []byte {
	if code, ok := f.next(); ok {
		return f.variable(code, codeBinary8)
	}
	return nil
}

func (f *fields) optString() (v Optional[string]) {
	if code, ok := f.next(); ok {
		v = Some(f.text(code, codeString8))
	}
	return v
}

func (f *fields) string() string { return f.optString().Value }

func (f *fields) symbol() Symbol {
	if code, ok := f.next(); ok {
		return Symbol(f.text(code, codeSymbol8))
	}
	return ""
}

func (f *fields) optTime() (v Optional[time.Time]) {
	code, ok := f.next()
	if !ok {
		return v
	}
	if code != CodeTimestamp {
		f.fail("constructor %#02x where a timestamp belongs", byte(code))
		return v
	}
	return Some(time.UnixMilli(int64(f.uint64())).UTC())
}

// any reads a field of any type, described values included.
func (f *fields) any() any {
	if f.left == 0 || f.err != nil {
		return nil
	}
	f.left--
	return f.value(MaxDepth)
}

func (f *fields) mapValue() Map {
	code, ok := f.next()
	if !ok {
		return nil
	}
	if code != codeMap8 && code != CodeMap {
		f.fail("constructor %#02x where a map belongs", byte(code))
		return nil
	}
	m, _ := f.compound(code, MaxDepth).(Map)
	return m
}

// symbols reads a "multiple" field: one symbol, or an array of them.
func (f *fields) symbols() []Symbol {
	switch v := f.any().(type) {
	case nil:
		return nil
	case Symbol:
		return []Symbol{v}
	case Array:
		all := make([]Symbol, 0, len(v.Items))
		for _, item := range v.Items {
			s, ok := item.(Symbol)
			if !ok {
				f.fail("an array of symbols holds a %T", item)
				return nil
			}
			all = append(all, s)
		}
		return all
	default:
		f.fail("a %T where symbols belong", v)
		return nil
	}
}

// descriptor reads the descriptor of a described value, after its first octet. It accepts numeric descriptors only, the
// form that every SDK sends.
func (d *decoder) descriptor() uint64 {
	if code := d.code(); d.err == nil {
		return d.ulong(code)
	}
	return 0
}

// list reads a list and returns a reader of its fields.
func (d *decoder) list() fields {
	code := d.code()
	switch code {
	case codeList0, codeList8, CodeList:
		inner, count := d.compoundHeader(code)
		return fields{decoder: inner, left: count}
	}
	d.fail("constructor %#02x where a list of fields belongs", byte(code))
	return fields{decoder: decoder{err: d.err}}
}

// composite reads an optional field that holds a described list with the given descriptor.
func (f *fields) composite(want uint64) (inner fields, ok bool) {
	descriptor, inner, ok := f.anyComposite()
	if ok && descriptor != want {
		f.fail("descriptor %#02x where %#02x belongs", descriptor, want)
		return fields{}, false
	}
	return inner, ok
}

// anyComposite reads an optional field that holds some described list.
func (f *fields) anyComposite() (descriptor uint64, inner fields, ok bool) {
	code, ok := f.next()
	if !ok {
		return 0, fields{}, false
	}
	if code != codeDescribed {
		f.fail("constructor %#02x where a described list belongs", byte(code))
		return 0, fields{}, false
	}
	descriptor = f.descriptor()
	inner = f.list()
	return descriptor, inner, f.err == nil
}

// adopt ends the reading of inner. It skips the fields that were not read.
func (f *fields) adopt(inner *fields) {
	inner.finish()
	f.decoder.adopt(&inner.decoder)
}

// finish skips the remaining fields.
func (f *fields) finish() {
	for f.left > 0 && f.err == nil {
		f.left--
		f.skip(MaxDepth)
	}
}
