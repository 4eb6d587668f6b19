package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// AppendValue appends v in its shortest form. It panics if the Go type of v represents no AMQP type
// (see value.go): values to encode come from this program or from Parse, so that another type is a
// bug of the caller.
func AppendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, byte(CodeNull))
	case bool:
		return AppendBool(dst, v)
	case uint8:
		return append(dst, byte(CodeUbyte), v)
	case uint16:
		return binary.BigEndian.AppendUint16(append(dst, byte(CodeUshort)), v)
	case uint32:
		return AppendUint(dst, v)
	case uint64:
		return AppendUlong(dst, v)
	case int8:
		return append(dst, byte(CodeByte), byte(v))
	case int16:
		return binary.BigEndian.AppendUint16(append(dst, byte(CodeShort)), uint16(v))
	case int32:
		return AppendInt(dst, v)
	case int64:
		return AppendLong(dst, v)
	case float32:
		return binary.BigEndian.AppendUint32(append(dst, byte(CodeFloat)), math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, byte(CodeDouble)), math.Float64bits(v))
	case Char:
		return binary.BigEndian.AppendUint32(append(dst, byte(CodeChar)), uint32(v))
	case Decimal32:
		return append(append(dst, byte(CodeDecimal32)), v[:]...)
	case Decimal64:
		return append(append(dst, byte(CodeDecimal64)), v[:]...)
	case Decimal128:
		return append(append(dst, byte(CodeDecimal128)), v[:]...)
	case time.Time:
		return AppendTimestamp(dst, v)
	case UUID:
		return AppendUUID(dst, v)
	case []byte:
		return AppendBinary(dst, v)
	case string:
		return AppendString(dst, v)
	case Symbol:
		return AppendSymbol(dst, v)
	case List:
		return appendList(dst, v)
	case Map:
		return AppendMap(dst, v)
	case Array:
		return appendArray(dst, v)
	case Described:
		dst = AppendValue(append(dst, byte(codeDescribed)), v.Descriptor)
		return AppendValue(dst, v.Value)
	}
	panic(fmt.Sprintf("amqp: encode a value of type %T", v))
}

// AppendBool appends a boolean.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, byte(codeTrue))
	}
	return append(dst, byte(codeFalse))
}

// AppendUint appends a uint.
func AppendUint(dst []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(dst, byte(codeUint0))
	case v <= math.MaxUint8:
		return append(dst, byte(codeSmallUint), byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, byte(CodeUint)), v)
}

// AppendUlong appends a ulong.
func AppendUlong(dst []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(dst, byte(codeUlong0))
	case v <= math.MaxUint8:
		return append(dst, byte(codeSmallUlong), byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, byte(CodeUlong)), v)
}

// AppendInt appends an int (32 bits).
func AppendInt(dst []byte, v int32) []byte {
	if v == int32(int8(v)) {
		return append(dst, byte(codeSmallInt), byte(v))
	}
	return binary.BigEndian.AppendUint32(append(dst, byte(CodeInt)), uint32(v))
}

// AppendLong appends a long (64 bits).
func AppendLong(dst []byte, v int64) []byte {
	if v == int64(int8(v)) {
		return append(dst, byte(codeSmallLong), byte(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, byte(CodeLong)), uint64(v))
}

// AppendTimestamp appends a timestamp. It truncates t to milliseconds and drops the zone.
func AppendTimestamp(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(CodeTimestamp)), uint64(t.UnixMilli()))
}

// AppendUUID appends a uuid.
func AppendUUID(dst []byte, v UUID) []byte {
	return append(append(dst, byte(CodeUUID)), v[:]...)
}

// AppendBinary appends a binary; nil is an empty binary, not null.
func AppendBinary(dst, v []byte) []byte {
	return append(appendVariableHeader(dst, codeBinary8, len(v)), v...)
}

// AppendString appends a string.
func AppendString(dst []byte, v string) []byte {
	return append(appendVariableHeader(dst, codeString8, len(v)), v...)
}

// AppendSymbol appends a symbol.
func AppendSymbol(dst []byte, v Symbol) []byte {
	return append(appendVariableHeader(dst, codeSymbol8, len(v)), v...)
}

// appendVariableHeader appends constructor and size. The code of the wide form of a variable-width type is that of the
// short form plus 0x10.
func appendVariableHeader(dst []byte, short Code, size int) []byte {
	if size <= math.MaxUint8 {
		return append(dst, byte(short), byte(size))
	}
	return binary.BigEndian.AppendUint32(append(dst, byte(short)+0x10), uint32(size))
}

// AppendMap appends a map. BeginMap writes a map without an intermediate Map.
func AppendMap(dst []byte, m Map) []byte {
	w := BeginMap(dst)
	for _, p := range m {
		w.Bytes = AppendValue(AppendValue(w.Bytes, p.Key), p.Value)
		w.Count += 2
	}
	return w.End()
}

func appendList(dst []byte, l List) []byte {
	if len(l) == 0 {
		return append(dst, byte(codeList0))
	}
	w := beginCompound(dst, codeList8)
	for _, v := range l {
		w.Bytes = AppendValue(w.Bytes, v)
		w.Count++
	}
	return w.End()
}

// appendArray writes every element in the form that the array's code names: an array has one constructor.
func appendArray(dst []byte, a Array) []byte {
	w := beginCompound(dst, codeArray8)
	w.Bytes = append(w.Bytes, byte(a.Code))
	for _, item := range a.Items {
		w.Bytes = appendElement(w.Bytes, a.Code, item)
	}
	w.Count = len(a.Items)
	return w.End()
}

// appendElement appends v without its constructor, in the form of code. As in AppendValue, it
// panics if v is not of that type.
func appendElement(dst []byte, code Code, v any) []byte {
	switch code {
	case CodeNull, codeTrue, codeFalse, codeUint0, codeUlong0, codeList0:
		return dst
	case CodeBoolean:
		if v.(bool) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case CodeUint:
		return binary.BigEndian.AppendUint32(dst, v.(uint32))
	case codeSmallUint:
		return append(dst, byte(v.(uint32)))
	case CodeUlong:
		return binary.BigEndian.AppendUint64(dst, v.(uint64))
	case codeSmallUlong:
		return append(dst, byte(v.(uint64)))
	case CodeInt:
		return binary.BigEndian.AppendUint32(dst, uint32(v.(int32)))
	case codeSmallInt:
		return append(dst, byte(v.(int32)))
	case CodeLong:
		return binary.BigEndian.AppendUint64(dst, uint64(v.(int64)))
	case codeSmallLong:
		return append(dst, byte(v.(int64)))
	case CodeUbyte, CodeByte, CodeUshort, CodeShort, CodeFloat, CodeDouble, CodeChar, CodeTimestamp, CodeUUID,
		CodeDecimal32, CodeDecimal64, CodeDecimal128:
		at := len(dst) // types with one form: remove the constructor that AppendValue wrote
		dst = AppendValue(dst, v)
		return append(dst[:at], dst[at+1:]...)
	case codeBinary8, codeString8, codeSymbol8:
		b := variableBytes(v)
		return append(append(dst, byte(len(b))), b...)
	case CodeBinary, CodeString, CodeSymbol:
		b := variableBytes(v)
		return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
	}
	return appendCompoundElement(dst, code, v)
}

// appendCompoundElement writes lists, maps and arrays inside an array, always in the wide form.
// Parse stores the wide code for the short form, too.
func appendCompoundElement(dst []byte, code Code, v any) []byte {
	var body []byte
	var count int
	switch v := v.(type) {
	case List:
		for _, item := range v {
			body = AppendValue(body, item)
		}
		count = len(v)
	case Map:
		for _, p := range v {
			body = AppendValue(AppendValue(body, p.Key), p.Value)
		}
		count = 2 * len(v)
	case Array:
		body = append(body, byte(v.Code))
		for _, item := range v.Items {
			body = appendElement(body, v.Code, item)
		}
		count = len(v.Items)
	default:
		panic(fmt.Sprintf("amqp: encode %T in an array of constructor %#x", v, byte(code)))
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(4+len(body)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(count))
	return append(dst, body...)
}

func variableBytes(v any) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	case Symbol:
		return []byte(v)
	}
	panic(fmt.Sprintf("amqp: encode %T as a variable-width array element", v))
}

// Compound writes a list, map or array. Append the elements to Bytes, increase Count by one for
// each (two for each pair of a map), then call End.
type Compound struct {
	Bytes []byte
	Count int

	code  Code // the short form
	start int  // index of the first byte after constructor, size and count
}

// BeginMap starts a map after dst, for callers whose entries are not in a Map.
func BeginMap(dst []byte) Compound { return beginCompound(dst, codeMap8) }

func beginCompound(dst []byte, short Code) Compound {
	dst = append(dst, byte(short), 0, 0)
	return Compound{Bytes: dst, code: short, start: len(dst)}
}

// End writes size and count, in the wide form if the contents need it, and returns all bytes including dst.
func (c *Compound) End() []byte {
	size := len(c.Bytes) - c.start
	if size+1 <= math.MaxUint8 && c.Count <= math.MaxUint8 {
		c.Bytes[c.start-2], c.Bytes[c.start-1] = byte(size+1), byte(c.Count)
		return c.Bytes
	}
	const more = 8 - 2 // the wide header has two four-byte fields instead of two octets
	c.Bytes = append(c.Bytes, make([]byte, more)...)
	copy(c.Bytes[c.start+more:], c.Bytes[c.start:c.start+size])
	header := c.Bytes[c.start-3:]
	header[0] = byte(c.code) + 0x10
	binary.BigEndian.PutUint32(header[1:], uint32(size+4))
	binary.BigEndian.PutUint32(header[5:], uint32(c.Count))
	return c.Bytes
}
