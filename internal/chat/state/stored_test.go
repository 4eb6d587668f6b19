package state

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// storedLines are lines with their encoding, which stores have kept for years.
var storedLines = []struct {
	name string
	line Line
	body string
}{
	{"message", Line{Log: 1, Check: 2, Kind: MessageLine, From: "Ann", Text: "hi", CID: "c", Instance: "i"},
		"01 88 01 02 00 63416e6e 60 626869 6163 6169"},
	{"join", Line{Log: 300, Check: 2, Kind: JoinLine, From: "Bé"}, "01 88 19012c 02 01 6342c3a9 60 60 60 60"},
	{"rename", Line{Log: 1, Check: 2, Kind: RenameLine, From: "Ann", Was: "Bob"},
		"01 88 01 02 03 63416e6e 63426f62 60 60 60"},
}

func TestLinesAreEncodedAsDocumented(t *testing.T) {
	for _, test := range storedLines {
		want := unhex(t, test.body)
		if body := test.line.Encode(); !bytes.Equal(body, want) {
			t.Errorf("%s: Encode = %x, want %x", test.name, body, want)
		}
		if l, err := DecodeLine(want); err != nil || l != test.line {
			t.Errorf("%s: DecodeLine = %+v, %v, want %+v", test.name, l, err, test.line)
		}
	}
}

func TestMalformedStoredLinesAreRefused(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       error
	}{
		{"empty", "", errMalformedLine},
		{"version only", "01", errMalformedLine},
		{"version 0", "00 88 01 02 00 60 60 60 60 60", errMalformedLine},
		{"later version", "02 88 01 02 00 60 60 60 60 60", ErrVersion},
		{"null", "01 f6", errMalformedLine},
		{"unknown kind", "01 88 01 02 17 60 60 60 60 60", errMalformedLine},
		{"field missing", "01 87 01 02 00 60 60 60 60", errMalformedLine},
		{"bytes behind", "01 88 01 02 00 60 60 60 60 60 00", errMalformedLine},
		{"id above its limit", "01 88 01 02 00 60 60 60 7841" + strings.Repeat("67", 65) + " 60", errMalformedLine},
	} {
		if l, err := DecodeLine(unhex(t, test.body)); !errors.Is(err, test.want) {
			t.Errorf("%s: DecodeLine = %+v, %v, want %v", test.name, l, err, test.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, test := range storedLines {
		f.Add(unhex(f, test.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := DecodeLine(body)
		if err != nil {
			return
		}
		if encoded := l.Encode(); !bytes.Equal(encoded, libraryLine(t, &l)) {
			t.Errorf("%+v is encoded as %x, by the library as %x", l, encoded, libraryLine(t, &l))
		}
		if again, err := DecodeLine(l.Encode()); err != nil || again != l {
			t.Errorf("DecodeLine(%x) = %+v, encoded and decoded again %+v, %v", body, l, again, err)
		}
	})
}
