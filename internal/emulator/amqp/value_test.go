package amqp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The encodings of AMQP 1.0 part 1, 1.6. AppendValue writes those of the first group.
var canonicalValues = []struct {
	value any
	wire  string
}{
	{nil, "40"},
	{true, "41"},
	{false, "42"},
	{uint8(0xfe), "50 fe"},
	{uint16(0x1234), "60 1234"},
	{uint32(0), "43"},
	{uint32(255), "52 ff"},
	{uint32(256), "70 00000100"},
	{uint64(0), "44"},
	{uint64(7), "53 07"},
	{uint64(0x137000000C), "80 000000137000000c"},
	{int8(-1), "51 ff"},
	{int16(-2), "61 fffe"},
	{int32(-1), "54 ff"},
	{int32(202), "71 000000ca"},
	{int64(127), "55 7f"},
	{int64(-129), "81 ffffffffffffff7f"},
	{float32(1.5), "72 3fc00000"},
	{float64(-2), "82 c000000000000000"},
	{Char('é'), "73 000000e9"},
	{Decimal32{1, 2, 3, 4}, "74 01020304"},
	{Decimal64{1}, "84 0100000000000000"},
	{Decimal128{15: 9}, "94 00000000000000000000000000000009"},
	{time.UnixMilli(1311704463521).UTC(), "83 0000013167adb8a1"},
	{time.UnixMilli(-1).UTC(), "83 ffffffffffffffff"},
	{UUID{0xf8, 0x1d, 15: 6}, "98 f81d0000000000000000000000000006"},
	{[]byte{}, "a0 00"},
	{[]byte{1, 2}, "a0 02 0102"},
	{"", "a1 00"},
	{"Grüße", "a1 07 4772c3bcc39f65"},
	{Symbol("amqp"), "a3 04 616d7170"},
	{List{}, "45"},
	{List{uint32(1), "a", nil}, "c0 07 03 5201 a10161 40"},
	{Map{}, "c1 01 00"},
	{Map{{Key: Symbol("k"), Value: Map{{Key: "x", Value: true}}}}, "c10b02 a3016b c10502a1017841"},
	{Array{Code: CodeLong, Items: []any{int64(1), int64(-1)}}, "e0 12 02 81 0000000000000001 ffffffffffffffff"},
	{Array{Code: CodeUUID, Items: []any{UUID{1}}}, "e0 12 01 98 01000000000000000000000000000000"},
	{Array{Code: CodeTimestamp, Items: []any{}}, "e0 02 00 83"},
	{Array{Code: codeSymbol8, Items: []any{Symbol("a"), Symbol("bc")}}, "e0 07 02 a3 0161 026263"},
	{Described{Descriptor: uint64(0x70), Value: List{}}, "00 5370 45"},
}

// Other forms of the same types, which peers may use.
var otherForms = []struct {
	value any
	wire  string
}{
	{true, "56 01"},
	{false, "56 00"},
	{uint32(7), "70 00000007"},
	{uint64(7), "80 0000000000000007"},
	{int32(7), "71 00000007"},
	{int64(7), "81 0000000000000007"},
	{[]byte{1}, "b0 00000001 01"},
	{"a", "b1 00000001 61"},
	{Symbol("a"), "b3 00000001 61"},
	{List{}, "c0 01 00"},
	{List{true}, "d0 00000005 00000001 41"},
	{Map{{Key: "a", Value: nil}}, "d1 00000008 00000002 a10161 40"},
	{Array{Code: CodeInt, Items: []any{int32(5)}}, "f0 00000009 00000001 71 00000005"},
	{Array{Code: codeTrue, Items: []any{true, true}}, "e0 02 02 41"},
	{Array{Code: CodeBoolean, Items: []any{true, false}}, "e0 04 02 56 01 00"},
	{Array{Code: codeSmallInt, Items: []any{int32(-1)}}, "e0 03 01 54 ff"},
	{Array{Code: CodeList, Items: []any{List{true}}}, "e0 05 01 c0 020141"},
	{Array{Code: CodeArray, Items: []any{Array{Code: CodeUbyte, Items: []any{uint8(9)}}}}, "e0 06 01 e0 03015009"},
}

func TestValuesEncodeAndDecode(t *testing.T) {
	for _, tt := range canonicalValues {
		wire := unhex(t, tt.wire)
		if got := AppendValue(nil, tt.value); !bytes.Equal(got, wire) {
			t.Errorf("AppendValue(%#v) = %x, want %x", tt.value, got, wire)
		}
		checkParse(t, wire, tt.value)
	}
	for _, tt := range otherForms {
		checkParse(t, unhex(t, tt.wire), tt.value)
	}
}

func checkParse(t *testing.T, wire []byte, want any) {
	t.Helper()
	got, rest, err := Parse(append(bytes.Clone(wire), 0xAB))
	if err != nil || !reflect.DeepEqual(got, want) || !bytes.Equal(rest, []byte{0xAB}) {
		t.Errorf("Parse(%x) = %#v, %x, %v, want %#v and one byte left", wire, got, rest, err, want)
	}
	d := decoder{b: wire}
	if d.skip(MaxDepth); d.err != nil || len(d.b) != 0 {
		t.Errorf("skip(%x) leaves %x, %v", wire, d.b, d.err)
	}
	again, _, err := Parse(AppendValue(nil, want))
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("%#v comes back as %#v, %v", want, again, err)
	}
}

func TestLargeValuesUseWideForms(t *testing.T) {
	long := strings.Repeat("x", 300)
	items := make(List, 300)
	for _, v := range []any{long, Symbol(long), []byte(long), List{long, "tail"}, items,
		Map{{Key: "k", Value: long}, {Key: "l", Value: uint8(1)}}} {
		got, rest, err := Parse(AppendValue(nil, v))
		if err != nil || len(rest) != 0 || !reflect.DeepEqual(got, v) {
			t.Errorf("a %T of more than 255 comes back as %v, %v", v, got, err)
		}
	}
}

func TestMalformedValuesAreRefused(t *testing.T) {
	deep := "40"
	for range MaxDepth + 1 {
		deep = hex.EncodeToString([]byte{0xc0, byte(len(deep)/2 + 1), 1}) + deep
	}
	for _, tt := range []struct{ name, wire, text string }{
		{"nothing", "", "1 bytes wanted"},
		{"unknown constructor", "3f", "not defined"},
		{"unknown constructor of a known width", "75 00000000", "not defined"},
		{"uint cut short", "70 0000", "4 bytes wanted"},
		{"string longer than the input", "b1 ffffffff 61", "longer than"},
		{"string cut short", "a1 05 61", "5 bytes wanted"},
		{"invalid UTF-8", "a1 02 c328", "not UTF-8"},
		{"symbol with a letter beyond ASCII", "a3 02 c3a9", "not ASCII"},
		{"boolean 2", "56 02", "neither 0 nor 1"},
		{"list with size 0", "c0 00 00", "longer than"},
		{"list with a count it has no bytes for", "d0 00000005 ffffffff 41", "elements in"},
		{"list with bytes left over", "c0 03 01 41 41", "left over"},
		{"map with an odd count", "c1 02 01 41", "key without a value"},
		{"array of 2^32-1 nulls", "f0 00000005 ffffffff 40", "array elements"},
		{"array of more longs than bytes", "f0 0000000d 10000000 81 0000000000000001", "array elements"},
		{"array of described values", "e0 06 01 00 5324 45 45", "described"},
		{"nested too deep", deep, "deeper"},
	} {
		_, _, err := Parse(unhex(t, tt.wire))
		var e *Error
		if !errors.As(err, &e) || e.Condition != CondDecodeError || !strings.Contains(e.Description, tt.text) {
			t.Errorf("%s: Parse(%s) = %v, want %s: …%s…", tt.name, tt.wire, err, CondDecodeError, tt.text)
		}
	}
}

func FuzzValue(f *testing.F) {
	for _, tt := range canonicalValues {
		f.Add(unhex(f, tt.wire))
	}
	for _, tt := range otherForms {
		f.Add(unhex(f, tt.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := Parse(b)
		d := decoder{b: b}
		d.skip(MaxDepth)
		if err == nil && (d.err != nil || len(d.b) != len(rest)) {
			t.Fatalf("Parse takes %x, skip says %v and leaves %d bytes instead of %d", b, d.err, len(d.b), len(rest))
		}
		if err != nil {
			return
		}
		encoded := AppendValue(nil, v)
		again, rest, err := Parse(encoded)
		if err != nil || len(rest) != 0 {
			t.Fatalf("%x decodes to %#v, encodes to %x, and that decodes to %v", b, v, encoded, err)
		}
		if twice := AppendValue(nil, again); !bytes.Equal(encoded, twice) {
			t.Fatalf("%x encodes to %x, then to %x", b, encoded, twice)
		}
	})
}
