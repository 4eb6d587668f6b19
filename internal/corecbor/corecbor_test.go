package corecbor

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// library is package cbor as the chat's codecs use it.
var library = func() cbor.EncMode {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

func libraryBytes(t *testing.T, v any) []byte {
	t.Helper()
	b, err := library.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAppendsTheBytesOfTheLibrary(t *testing.T) {
	var numbers []uint64
	for shift := range 64 {
		numbers = append(numbers, 1<<shift-1, 1<<shift, 1<<shift+1)
	}
	for _, n := range append(numbers, 22, 23, 24, 25, math.MaxUint64) {
		if got, want := AppendUint(nil, n), libraryBytes(t, n); !bytes.Equal(got, want) {
			t.Errorf("AppendUint(%d) = %x, want %x", n, got, want)
		}
		if r := NewReader(AppendUint(nil, n)); r.Uint() != n || !r.End() {
			t.Errorf("%d is not read as it was appended", n)
		}
	}
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		text := strings.Repeat("é", n/2) + strings.Repeat("x", n%2)
		if got, want := AppendText(nil, text), libraryBytes(t, text); !bytes.Equal(got, want) {
			t.Errorf("AppendText of %d bytes = %.20x, want %.20x", n, got, want)
		}
		if r := NewReader(AppendText(nil, text)); string(r.Text()) != text || !r.End() {
			t.Errorf("a text of %d bytes is not read as it was appended", n)
		}
		value := bytes.Repeat([]byte{0xff}, n)
		if got, want := AppendBytes(nil, value), libraryBytes(t, value); !bytes.Equal(got, want) {
			t.Errorf("AppendBytes of %d bytes = %.20x, want %.20x", n, got, want)
		}
		if r := NewReader(AppendBytes(nil, value)); !bytes.Equal(r.Bytes(), value) || !r.End() {
			t.Errorf("%d bytes are not read as they were appended", n)
		}
		list, pairs := make([]bool, n), make(map[int]bool, n)
		for i := range n {
			pairs[i] = false
		}
		if got, want := AppendArray(nil, n), libraryBytes(t, list); !bytes.Equal(got, want[:len(want)-n]) {
			t.Errorf("AppendArray(%d) = %x, want it to begin %.20x", n, got, want)
		}
		if got, want := AppendMap(nil, n), libraryBytes(t, pairs); !bytes.HasPrefix(want, got) {
			t.Errorf("AppendMap(%d) = %x, want it to begin %.20x", n, got, want)
		}
		r := NewReader(AppendMap(AppendArray(nil, n), n))
		if r.Array() != uint64(n) || r.Map() != uint64(n) || !r.End() {
			t.Errorf("heads of %d elements are not read as they were appended", n)
		}
	}
}

func TestReadsNoOtherEncoding(t *testing.T) {
	for _, test := range []struct {
		name, body string
		read       func(*Reader)
	}{
		{"nothing", "", func(r *Reader) { r.Uint() }},
		{"null", "f6", func(r *Reader) { r.Uint() }},
		{"negative number", "20", func(r *Reader) { r.Uint() }},
		{"number in a byte too many", "1817", func(r *Reader) { r.Uint() }},
		{"number in two bytes too many", "1900ff", func(r *Reader) { r.Uint() }},
		{"number in four bytes too many", "1a0000ffff", func(r *Reader) { r.Uint() }},
		{"number in eight bytes too many", "1b00000000ffffffff", func(r *Reader) { r.Uint() }},
		{"number cut off", "1901", func(r *Reader) { r.Uint() }},
		{"reserved argument", "1c", func(r *Reader) { r.Uint() }},
		{"text without an end", "7f61ff", func(r *Reader) { r.Text() }},
		{"text cut off", "6261", func(r *Reader) { r.Text() }},
		{"text longer than memory", "7bffffffffffffffff61", func(r *Reader) { r.Text() }},
		{"text that is no UTF-8", "61ff", func(r *Reader) { r.Text() }},
		{"bytes for a text", "4161", func(r *Reader) { r.Text() }},
		{"text for bytes", "6161", func(r *Reader) { r.Bytes() }},
		{"array without an end", "9fff", func(r *Reader) { r.Array() }},
		{"tag", "c080", func(r *Reader) { r.Array() }},
		{"array for a map", "80", func(r *Reader) { r.Map() }},
		{"something behind", "0000", func(r *Reader) { r.Uint() }},
		{"something wrong before", "2000", func(r *Reader) { r.Uint(); r.Uint() }},
	} {
		body, err := hex.DecodeString(test.body)
		if err != nil {
			t.Fatal(err)
		}
		r := NewReader(body)
		if test.read(&r); r.End() {
			t.Errorf("%s: %s is read, want a failure", test.name, test.body)
		}
	}
}

// FuzzReader reads items of the kinds that a body begins with. What is read has the encoding that it was read from, and
// the library reads the same.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{"", "00", "1818", "1bffffffffffffffff", "626162", "4300ff00", "82", "b818"} {
		body, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := NewReader(body)
		var again []byte
		for r.Len() > 0 {
			var want []byte
			before := r.rest
			switch before[0] & 0xe0 {
			case majorUint:
				n := r.Uint()
				again, want = AppendUint(again, n), libraryBytes(t, n)
			case majorText:
				text := string(r.Text())
				again, want = AppendText(again, text), libraryBytes(t, text)
			case majorBytes:
				value := r.Bytes()
				again, want = AppendBytes(again, value), libraryBytes(t, value)
			case majorArray:
				again = AppendArray(again, int(r.Array()))
			case majorMap:
				again = AppendMap(again, int(r.Map()))
			default:
				return
			}
			if r.Failed() {
				return
			}
			if !bytes.HasPrefix(before, want) {
				t.Fatalf("%x is read, but encoded as %x", before, want)
			}
		}
		if !r.End() || !bytes.Equal(again, body) {
			t.Errorf("%x is read and encoded again as %x", body, again)
		}
	})
}
