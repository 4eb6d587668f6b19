package socketio

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestEncode(t *testing.T) {
	type point struct {
		X int    `json:"x"`
		S string `json:"s,omitempty"`
	}
	for _, row := range []struct {
		name string
		args []any
		wire string // after the type
		raw  string
	}{
		{"nothing", nil, `["e"]`, `[]`},
		{"scalars", []any{"a", true, false, nil, 1, int64(-2), uint64(3), 4.5, uint8(6)},
			`["e","a",true,false,null,1,-2,3,4.5,6]`, `["a",true,false,null,1,-2,3,4.5,6]`},
		{"a string with escapes", []any{"\"\\\n\r\t\x00\x1f/<&>\u2028é\U0001F600"},
			`["e","\"\\\n\r\t\u0000\u001f/<&>` + "\u2028é\U0001F600" + `"]`,
			`["\"\\\n\r\t\u0000\u001f/<&>` + "\u2028é\U0001F600" + `"]`},
		{"a string that is not UTF-8", []any{"a\xffb\xc3"}, "[\"e\",\"a\uFFFDb\uFFFD\"]", "[\"a\uFFFDb\uFFFD\"]"},
		{"structs", []any{point{1, "<&>"}, &point{X: 2}, map[string]int{"a": 1}, []int{1}},
			`["e",{"x":1,"s":"<&>"},{"x":2},{"a":1},[1]]`, `[{"x":1,"s":"<&>"},{"x":2},{"a":1},[1]]`},
		{"JSON", []any{json.RawMessage(`{ "a": 1.0 }`), json.RawMessage(`[1]`)}, `["e",{ "a": 1.0 },[1]]`,
			`[{ "a": 1.0 },[1]]`},
		{"binary", []any{"a", []byte{1, 2, 3}, 1, []byte{}},
			`["e","a",{"_placeholder":true,"num":0},1,{"_placeholder":true,"num":1}]`,
			`["a",{"base64":"AQID"},1,{"base64":""}]`},
		{"binary first", []any{[]byte{1}}, `["e",{"_placeholder":true,"num":0}]`, `[{"base64":"AQ=="}]`},
		{"a time", []any{time.Unix(0, 0).UTC()}, `["e","1970-01-01T00:00:00Z"]`, `["1970-01-01T00:00:00Z"]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b body
			if err := b.encodeEvent("e", row.args); err != nil {
				t.Fatal(err)
			}
			header := "2"
			if n := len(b.attachments); n > 0 {
				header = "5" + string(rune('0'+n)) + "-"
			}
			if got, want := string(b.appendPacket(nil, packetEvent, "/", 0)), header+row.wire; got != want {
				t.Errorf("packet of %v = %s, want %s", row.args, got, want)
			}
			if got, want := string(b.appendPacket(nil, packetEvent, "/n", 4)), header+"/n,"+row.wire; got != want {
				t.Errorf("packet of %v = %s, want %s", row.args, got, want)
			}
			if got, want := string(b.appendRawMessage(nil, packetEvent, 0)),
				`{"event":"e","args":`+row.raw+`}`; got != want {
				t.Errorf("raw message of %v = %s, want %s", row.args, got, want)
			}
			var ack body
			if err := ack.encodeAck(row.args); err != nil {
				t.Fatal(err)
			}
			if got, want := string(ack.appendRawMessage(nil, packetAck, 4)),
				`{"ack":4,"args":`+row.raw+`}`; got != want {
				t.Errorf("raw acknowledgement of %v = %s, want %s", row.args, got, want)
			}
		})
	}
}

func TestEncodeErrors(t *testing.T) {
	for _, row := range []struct {
		name, event string
		args        []any
		want        error
	}{
		{"reserved", "disconnect", nil, ErrReservedEvent},
		{"JSON that is not JSON", "e", []any{json.RawMessage(`{`)}, errJSON},
		{"JSON that is two values", "e", []any{json.RawMessage(`1,2`)}, errJSONTrailing},
		{"JSON that is empty", "e", []any{json.RawMessage(nil)}, errJSON},
		{"JSON that is not UTF-8", "e", []any{json.RawMessage("\"\xff\"")}, errJSON},
		// A receiver's parser would refuse the packet, and close: a user could throw others out.
		{"a foreign placeholder beside an attachment", "e", []any{[]byte{1},
			json.RawMessage(`{"_placeholder":true,"num":9}`)}, errPlaceholder},
		{"a foreign placeholder for our attachment", "e", []any{[]byte{1}, map[string]any{"_placeholder": true,
			"num": 0}}, errPlaceholder},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b body
			if err := b.encodeEvent(row.event, row.args); !errors.Is(err, row.want) {
				t.Errorf("encodeEvent(%q, %q) = %v, want %v", row.event, row.args, err, row.want)
			}
		})
	}
	var b body
	if err := b.encodeEvent("e", []any{math.NaN()}); err == nil {
		t.Error("encodeEvent of NaN gives no error")
	}
}

// TestReceivedArgumentsPassOn checks that JSON stays the same text, and attachments get the numbers of
// the new packet.
func TestReceivedArgumentsPassOn(t *testing.T) {
	text := []byte(`["message",1.0,{ "a" : "\u00e9" },{"num":2,"_placeholder":true},` +
		`[{"_placeholder":true,"num":0}],{"_placeholder":true,"num":1}]`)
	var p packet
	if err := p.parse(append([]byte("53-"), text...), &testLimits); err != nil {
		t.Fatal(err)
	}
	placeholders, err := findPlaceholders(p.payload, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	args := Args{text: p.payload, spans: p.args[1:], placeholders: placeholders, attachments: [][]byte{{1, 2, 3},
		{4}, {5}}}
	for _, row := range []struct {
		values []any
		packet string
		raw    string
	}{
		{args.Values(),
			`53-["back",1.0,{ "a" : "\u00e9" },{"_placeholder":true,"num":0},` +
				`[{"_placeholder":true,"num":1}],{"_placeholder":true,"num":2}]`,
			`{"event":"back","args":[1.0,{ "a" : "\u00e9" },{"base64":"BQ=="},[{"base64":"AQID"}],{"base64":"BA=="}]}`},
		{[]any{args.Values()[3], []byte{9}, args.Values()[0], Value{}},
			`52-["back",[{"_placeholder":true,"num":0}],{"_placeholder":true,"num":1},1.0,null]`,
			`{"event":"back","args":[[{"base64":"AQID"}],{"base64":"CQ=="},1.0,null]}`},
	} {
		var b body
		if err := b.encodeEvent("back", row.values); err != nil {
			t.Fatal(err)
		}
		if got := string(b.appendPacket(nil, packetEvent, "/", 0)); got != row.packet {
			t.Errorf("passed on as %s, want %s", got, row.packet)
		}
		if got := string(b.appendRawMessage(nil, packetEvent, 0)); got != row.raw {
			t.Errorf("passed on as %s, want %s", got, row.raw)
		}
	}
}

func TestArgs(t *testing.T) {
	text := []byte(`["s","\u00e9\n",-12,1.5,true,null,{"a":1},{"_placeholder":true,"num":0}]`)
	spans, err := scanArray(text, &wide, nil)
	if err != nil {
		t.Fatal(err)
	}
	args := Args{text: text, spans: spans}
	if s, ok := args.String(1); s != "é\n" || !ok {
		t.Errorf("String(1) = %q, %v, want é and a line feed", s, ok)
	}
	var object struct{ A int }
	if err := args.Decode(6, &object); err != nil || object.A != 1 {
		t.Errorf("Decode(6) = %v, %v, want 1", object, err)
	}
	for _, i := range []int{-1, 2, 5, 8, 100} {
		if s, ok := args.String(i); ok {
			t.Errorf("String(%d) = %q, want none", i, s)
		}
	}
	if err := args.Decode(8, &object); err == nil {
		t.Error("Decode(8) of no argument gives no error")
	}
	if raw := args.Raw(8); raw != nil {
		t.Errorf("Raw(8) = %s, want nil", raw)
	}
}

// FuzzString holds appendString against encoding/json: what it writes is JSON that stands for the same string.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n", "\xff\xc3", "é\U0001F600\u2028", strings.Repeat("\x00", 9)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := appendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("appendString(%q) = %q: %v", s, got, err)
		}
		if want := string([]rune(s)); back != want {
			t.Fatalf("appendString(%q) = %q, which is %q, want %q", s, got, back, want)
		}
		if err := scanDocument(got, &trusted); err != nil {
			t.Fatalf("appendString(%q) = %q: %v", s, got, err)
		}
	})
}

func BenchmarkEncodeEvent(b *testing.B) {
	for _, row := range []struct {
		name string
		args []any
	}{
		{"string", []any{"User1", "hello there, this is a chat message of sixty-four bytes, or so"}},
		{"struct", []any{"User1", struct {
			ID   string `json:"id"`
			Time int64  `json:"time"`
		}{"a1b2c3", 1700000000000}}},
		{"binary", []any{"User1", make([]byte, 64)}},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			var body body
			for b.Loop() {
				body.reset()
				if err := body.encodeEvent("user message", row.args); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
