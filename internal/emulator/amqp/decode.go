package amqp

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"
)

// maxWidthless bounds the elements of an array whose constructor carries the whole value, such as
// null. Such elements take no bytes on the wire.
const maxWidthless = 256

// Parse parses one value and returns it with the bytes that follow it. The value does not alias b.
func Parse(b []byte) (v any, rest []byte, err error) {
	d := decoder{b: b}
	v = d.value(MaxDepth)
	if d.err != nil {
		return nil, b, d.err
	}
	return v, d.b, nil
}

// decoder reads values from the front of b. After the first error, which err keeps, it returns zero values only.
type decoder struct {
	b   []byte
	err *Error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = Errorf(CondDecodeError, format, args...)
	}
	d.b = nil
}

// take returns the next n bytes, which alias the input.
func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail("%d bytes wanted, %d left", n, len(d.b))
		return nil
	}
	taken := d.b[:n:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) uint8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if b := d.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) code() Code { return Code(d.uint8()) }

// value reads any value; depth is how many levels of nesting are still allowed.
func (d *decoder) value(depth int) any {
	code := d.code()
	if d.err != nil { // the zero value of a failed read equals codeDescribed
		return nil
	}
	if code != codeDescribed {
		return d.bodyOf(code, depth)
	}
	if depth == 0 {
		d.fail("values nested deeper than %d", MaxDepth)
		return nil
	}
	descriptor := d.value(depth - 1)
	return Described{Descriptor: descriptor, Value: d.value(depth - 1)}
}

// bodyOf reads what follows the constructor of a value.
func (d *decoder) bodyOf(code Code, depth int) any {
	switch code {
	case CodeNull:
		return nil
	case codeTrue:
		return true
	case codeFalse:
		return false
	case CodeBoolean:
		return d.boolean(code)
	case CodeUbyte:
		return d.uint8()
	case CodeUshort:
		return d.uint16()
	case codeUint0, codeSmallUint, CodeUint:
		return d.uint(code)
	case codeUlong0, codeSmallUlong, CodeUlong:
		return d.ulong(code)
	case CodeByte:
		return int8(d.uint8())
	case CodeShort:
		return int16(d.uint16())
	case codeSmallInt:
		return int32(int8(d.uint8()))
	case CodeInt:
		return int32(d.uint32())
	case codeSmallLong:
		return int64(int8(d.uint8()))
	case CodeLong:
		return int64(d.uint64())
	case CodeTimestamp:
		return time.UnixMilli(int64(d.uint64())).UTC()
	case codeBinary8, CodeBinary:
		return append([]byte{}, d.variable(code, codeBinary8)...)
	case codeString8, CodeString:
		return d.text(code, codeString8)
	case codeSymbol8, CodeSymbol:
		return Symbol(d.text(code, codeSymbol8))
	case codeList0, codeList8, CodeList, codeMap8, CodeMap, codeArray8, CodeArray:
		return d.compound(code, depth)
	}
	return d.rareBodyOf(code)
}

// rareBodyOf reads the fixed-width types that the protocol itself does not use.
func (d *decoder) rareBodyOf(code Code) any {
	switch code {
	case CodeFloat:
		return math.Float32frombits(d.uint32())
	case CodeDouble:
		return math.Float64frombits(d.uint64())
	case CodeChar:
		return Char(d.uint32())
	case CodeUUID:
		return UUID(d.array16())
	case CodeDecimal32:
		var v Decimal32
		copy(v[:], d.take(len(v)))
		return v
	case CodeDecimal64:
		var v Decimal64
		copy(v[:], d.take(len(v)))
		return v
	case CodeDecimal128:
		return Decimal128(d.array16())
	}
	d.fail("constructor %#02x is not defined", byte(code))
	return nil
}

func (d *decoder) array16() (v [16]byte) {
	copy(v[:], d.take(len(v)))
	return v
}

func (d *decoder) boolean(code Code) bool {
	switch code {
	case codeTrue:
		return true
	case codeFalse:
		return false
	case CodeBoolean:
		switch d.uint8() {
		case 0:
			return false
		case 1:
			return true
		}
		d.fail("a boolean is neither 0 nor 1")
		return false
	}
	d.fail("constructor %#02x where a boolean belongs", byte(code))
	return false
}

func (d *decoder) uint(code Code) uint32 {
	switch code {
	case codeUint0:
		return 0
	case codeSmallUint:
		return uint32(d.uint8())
	case CodeUint:
		return d.uint32()
	}
	d.fail("constructor %#02x where a uint belongs", byte(code))
	return 0
}

func (d *decoder) ulong(code Code) uint64 {
	switch code {
	case codeUlong0:
		return 0
	case codeSmallUlong:
		return uint64(d.uint8())
	case CodeUlong:
		return d.uint64()
	}
	d.fail("constructor %#02x where a ulong belongs", byte(code))
	return 0
}

// variable reads a variable-width value. short is the code of the form with a size of one octet. The result aliases the
// input.
func (d *decoder) variable(code, short Code) []byte {
	switch code {
	case short:
		return d.take(int(d.uint8()))
	case short + 0x10:
		if size := d.uint32(); d.err == nil && uint64(size) <= uint64(len(d.b)) {
			return d.take(int(size))
		}
		d.fail("a value is longer than what holds it")
		return nil
	}
	d.fail("constructor %#02x where %#02x or %#02x belongs", byte(code), byte(short), byte(short+0x10))
	return nil
}

// text reads a string, which must be UTF-8, or a symbol, which must be ASCII.
func (d *decoder) text(code, short Code) string {
	b := d.variable(code, short)
	if !utf8.Valid(b) {
		d.fail("a string is not UTF-8")
		return ""
	}
	if short == codeSymbol8 {
		for _, c := range b {
			if c >= utf8.RuneSelf {
				d.fail("a symbol is not ASCII")
				return ""
			}
		}
	}
	return string(b)
}

// compoundHeader reads size and count of a list, map or array and returns a decoder for its
// contents. It checks the count against the bytes: every element has at least one, except in an
// array.
func (d *decoder) compoundHeader(code Code) (inner decoder, count int) {
	var size, n uint64
	switch code {
	case codeList0:
		return decoder{}, 0
	case codeList8, codeMap8, codeArray8:
		size, n = uint64(d.uint8()), uint64(d.uint8())
		size -= 1
	default:
		size, n = uint64(d.uint32()), uint64(d.uint32())
		size -= 4
	}
	if d.err != nil || size > uint64(len(d.b)) { // a size too small for the count has wrapped around
		d.fail("a compound value is longer than what holds it")
		return decoder{err: d.err}, 0
	}
	inner = decoder{b: d.take(int(size))}
	if n > size && !(code == codeArray8 || code == CodeArray) {
		d.fail("%d elements in %d bytes", n, size)
		return decoder{err: d.err}, 0
	}
	return inner, int(n)
}

// adopt ends the reading of a part, whose contents must be used up. The error of the part becomes d's.
func (d *decoder) adopt(inner *decoder) {
	if inner.err == nil && len(inner.b) != 0 {
		inner.fail("%d bytes left over in a compound value", len(inner.b))
	}
	if inner.err != nil && d.err == nil {
		d.err, d.b = inner.err, nil
	}
}

func (d *decoder) compound(code Code, depth int) any {
	if depth == 0 {
		d.fail("values nested deeper than %d", MaxDepth)
		return nil
	}
	inner, count := d.compoundHeader(code)
	defer d.adopt(&inner)
	switch code {
	case codeMap8, CodeMap:
		return inner.pairs(count, depth-1)
	case codeArray8, CodeArray:
		return inner.elements(count, depth-1)
	}
	list := make(List, 0, min(count, len(inner.b)))
	for range count {
		if inner.err != nil {
			break
		}
		list = append(list, inner.value(depth-1))
	}
	return list
}

func (d *decoder) pairs(count, depth int) Map {
	if count%2 != 0 {
		d.fail("a map has a key without a value")
		return nil
	}
	m := make(Map, 0, count/2)
	for range count / 2 {
		if d.err != nil {
			break
		}
		key := d.value(depth)
		m = append(m, Pair{Key: key, Value: d.value(depth)})
	}
	return m
}

// elements reads the contents of an array.
func (d *decoder) elements(count, depth int) Array {
	code := d.code()
	if code == codeDescribed {
		d.fail("arrays of described values are not supported")
		return Array{}
	}
	if width := widthOf(code); count > maxWidthless && (width == 0 || count > len(d.b)/width) {
		d.fail("%d array elements in %d bytes", count, len(d.b))
		return Array{}
	}
	a := Array{Code: wide(code), Items: make([]any, 0, min(count, len(d.b)+maxWidthless))}
	for range count {
		if d.err != nil {
			break
		}
		a.Items = append(a.Items, d.bodyOf(code, depth))
	}
	return a
}

// widthOf returns the least number of bytes that an element takes after its constructor. The first four bits of the
// constructor determine it (AMQP 1.0 part 1, 1.2).
func widthOf(code Code) int {
	switch code >> 4 {
	case 0x4:
		return 0
	case 0x5, 0xa:
		return 1
	case 0x6, 0xc, 0xe:
		return 2
	case 0x7, 0xb:
		return 4
	case 0x8, 0xd, 0xf:
		return 8
	case 0x9:
		return 16
	}
	return 1
}

// wide returns the code of the form in which appendElement writes compound elements.
func wide(code Code) Code {
	switch code {
	case codeList0, codeList8:
		return CodeList
	case codeMap8, codeArray8:
		return code + 0x10
	}
	return code
}
