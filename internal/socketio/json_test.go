package socketio

import (
	"encoding/json"
	"errors"
	"testing"
)

var wide = limits{depth: deepest, arguments: 1 << 20}

var jsonTexts = []string{
	`null`, `true`, `false`, `0`, `-0`, `1e5`, `-1.5E-7`, `""`, `"\u00e9\\\/\b"`, `[]`, `{}`, `[[],{}]`,
	`{"a":{"b":[1,{"c":null}]}}`,
	` [ 1 , 2 ] `, `{ "a" : 1 , "b" : [ ] }`, `"\ud800"`, `[1,]`, `{"a"}`, `{"a":}`, `[}`, `{]`, `01`, `+1`, `1.`,
	`"`, `"\`, `"\u1`, `tru`, `[1 2]`, `{}{}`, ``, ` `,
	"\"\x01\"", "\"\xff\"", `{"a":1,}`, `{,}`, `[,]`, `-`, `1e+`, `nul`, `"a"b`,
}

func TestScanDocument(t *testing.T) {
	for _, text := range jsonTexts {
		err := scanDocument([]byte(text), &wide)
		if want := json.Valid([]byte(text)); (err == nil) != want {
			t.Errorf("scanDocument(%q) = %v, want valid: %v", text, err, want)
		}
	}
}

// FuzzJSON holds the scanner against encoding/json: both speak RFC 8259 and neither looks at UTF-8 here.
func FuzzJSON(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := scanDocument(text, &wide)
		if errors.Is(err, errJSONDepth) {
			return // encoding/json goes deeper
		}
		if want := json.Valid(text); (err == nil) != want {
			t.Fatalf("scanDocument(%q) = %v, want valid: %v", text, err, want)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	text := []byte(`{"name":"User1","room":"general","text":"hello there, this is a chat message",` +
		`"at":1700000000000,"tags":["a","b",{"c":true}]}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := scanDocument(text, &wide); err != nil {
			b.Fatal(err)
		}
	}
}
