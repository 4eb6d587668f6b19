package amqp

import (
	"fmt"
	"time"
)

// The AMQP types and the Go types that represent them where the type of a value is known at run time only:
//
//	null    nil             byte    int8       float       float32     binary    []byte
//	boolean bool            short   int16      double      float64     string    string
//	ubyte   uint8           int     int32      decimal32   Decimal32   symbol    Symbol
//	ushort  uint16          long    int64      decimal64   Decimal64   list      List
//	uint    uint32          char    Char       decimal128  Decimal128  map       Map
//	ulong   uint64          uuid    UUID       timestamp   time.Time   array     Array
//
// Described represents a described value. AppendValue accepts no other types.

// MaxDepth bounds the nesting of lists, maps, arrays and described values in parsed input. The SDKs use less than six
// levels.
const MaxDepth = 32

// Symbol is an AMQP symbol: ASCII from a constrained domain, such as an error condition.
type Symbol string

// Char is an AMQP char, one Unicode code point.
type Char rune

// Decimal32 is an AMQP decimal32 (IEEE 754 binary integer decimal encoding), kept as its bytes.
type Decimal32 [4]byte

// Decimal64 is an AMQP decimal64, kept as its bytes.
type Decimal64 [8]byte

// Decimal128 is an AMQP decimal128, kept as its bytes.
type Decimal128 [16]byte

// UUID is an AMQP uuid: RFC 4122, bytes in network order.
type UUID [16]byte

// String returns u in the standard form, such as "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".
func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// List is an AMQP list.
type List []any

// Pair is one entry of a Map.
type Pair struct {
	Key, Value any
}

// Map is an AMQP map in the order of the wire. A nil Map encodes as an empty map.
type Map []Pair

// Lookup returns the value of a key, which may be a symbol or a string in the map, because the SDKs differ.
func (m Map) Lookup(key string) (any, bool) {
	for _, p := range m {
		switch k := p.Key.(type) {
		case string:
			if k == key {
				return p.Value, true
			}
		case Symbol:
			if string(k) == key {
				return p.Value, true
			}
		}
	}
	return nil, false
}

// Array is an AMQP array. All elements have the type that Code names; an empty array has a type as well.
type Array struct {
	Code  Code
	Items []any
}

// ArrayOf returns an Array of Go values of one type. code must be the wide form of that type's constructor.
func ArrayOf[T any](code Code, items ...T) Array {
	a := Array{Code: code, Items: make([]any, len(items))}
	for i, item := range items {
		a.Items[i] = item
	}
	return a
}

// Described is a value with a descriptor. The standard uses descriptors of type ulong and symbol only.
type Described struct {
	Descriptor, Value any
}

// Optional is a field whose absence (null on the wire) differs from its zero value.
type Optional[T any] struct {
	Value T
	Set   bool
}

// Some returns an Optional that is set to value.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Set: true} }

// Or returns the value, or fallback if it is not set.
func (o Optional[T]) Or(fallback T) T {
	if o.Set {
		return o.Value
	}
	return fallback
}

// Code is a constructor octet, which determines the type of a value and its encoded form (AMQP 1.0 part 1, 1.6).
type Code byte

// The constructors of the primitive types.
const (
	codeDescribed Code = 0x00

	CodeNull       Code = 0x40
	codeTrue       Code = 0x41
	codeFalse      Code = 0x42
	codeUint0      Code = 0x43
	codeUlong0     Code = 0x44
	codeList0      Code = 0x45
	CodeUbyte      Code = 0x50
	CodeByte       Code = 0x51
	codeSmallUint  Code = 0x52
	codeSmallUlong Code = 0x53
	codeSmallInt   Code = 0x54
	codeSmallLong  Code = 0x55
	CodeBoolean    Code = 0x56
	CodeUshort     Code = 0x60
	CodeShort      Code = 0x61
	CodeUint       Code = 0x70
	CodeInt        Code = 0x71
	CodeFloat      Code = 0x72
	CodeChar       Code = 0x73
	CodeDecimal32  Code = 0x74
	CodeUlong      Code = 0x80
	CodeLong       Code = 0x81
	CodeDouble     Code = 0x82
	CodeTimestamp  Code = 0x83
	CodeDecimal64  Code = 0x84
	CodeDecimal128 Code = 0x94
	CodeUUID       Code = 0x98
	codeBinary8    Code = 0xa0
	codeString8    Code = 0xa1
	codeSymbol8    Code = 0xa3
	CodeBinary     Code = 0xb0
	CodeString     Code = 0xb1
	CodeSymbol     Code = 0xb3
	codeList8      Code = 0xc0
	codeMap8       Code = 0xc1
	CodeList       Code = 0xd0
	CodeMap        Code = 0xd1
	codeArray8     Code = 0xe0
	CodeArray      Code = 0xf0
)

// Timestamp converts t to UTC and truncates it to milliseconds, the precision of an AMQP timestamp.
func Timestamp(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
