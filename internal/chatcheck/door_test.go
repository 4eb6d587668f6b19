package chatcheck

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

var parseTests = []struct {
	name string
	door Door
	text string
	want received
}{
	{"open", SocketIO, `0{"sid":"x","pingInterval":25000,"pingTimeout":20000}`, received{kind: kindOpen, silence: 45 * time.Second}},
	{"ping", SocketIO, `2`, received{kind: kindPing}},
	{"connected", SocketIO, `40{"sid":"x","pid":"secret"}`, received{kind: kindConnected, pid: "secret"}},
	{"refused", SocketIO, `44{"message":"no"}`, received{kind: kindRefused, why: `{"message":"no"}`}},
	{"event", SocketIO, `42["a",1]`, received{kind: kindEvent, event: "a", args: []json.RawMessage{json.RawMessage("1")}}},
	{"ack", SocketIO, `4317[true]`, received{kind: kindAck, ack: 17, args: []json.RawMessage{json.RawMessage("true")}}},
	{"disconnect", SocketIO, `41`, received{kind: kindSentAway}},
	{"close", SocketIO, `1`, received{kind: kindSentAway}},
	{"connected", Bare, `{"connect":{"sid":"x","pid":"secret"}}`, received{kind: kindConnected, pid: "secret"}},
	{"refused", Bare, `{"connect_error":{"message":"no"}}`, received{kind: kindRefused, why: `{"message":"no"}`}},
	{"event", Bare, `{"event":"a","args":[1]}`, received{kind: kindEvent, event: "a", args: []json.RawMessage{json.RawMessage("1")}}},
	{"ack", Bare, `{"ack":0,"args":[true]}`, received{kind: kindAck, args: []json.RawMessage{json.RawMessage("true")}}},
	{"disconnect", Bare, `{"disconnect":{}}`, received{kind: kindSentAway}},
}

func TestParse(t *testing.T) {
	for _, tt := range parseTests {
		t.Run(tt.door.String()+" "+tt.name, func(t *testing.T) {
			if got, err := tt.door.parse([]byte(tt.text)); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parse(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		door Door
		text string
	}{
		{SocketIO, ""}, {SocketIO, "0"}, {SocketIO, "40x"}, {SocketIO, "42"}, {SocketIO, "42[]"}, {SocketIO, "42[1]"}, {SocketIO, "43[1]"},
		{SocketIO, "43x[1]"}, {SocketIO, "45[1]"}, {SocketIO, "7"},
		{Bare, ""}, {Bare, "[]"}, {Bare, "{}"}, {Bare, `{"event":1}`},
	} {
		if got, err := tt.door.parse([]byte(tt.text)); !errors.Is(err, errMessage) {
			t.Errorf("%v: parse(%q) = %+v, %v, want %v", tt.door, tt.text, got, err, errMessage)
		}
	}
	if _, err := Bare.parse([]byte(`{"error":{"code":"bad_message"}}`)); err == nil {
		t.Error("parse does not tell an error of the server")
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range parseTests {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, door := range []Door{SocketIO, Bare} {
			m, err := door.parse([]byte(text))
			if err != nil || m.kind != kindEvent {
				continue
			}
			args := make([]any, len(m.args))
			for i, arg := range m.args {
				if arg == nil {
					arg = json.RawMessage("null")
				}
				args[i] = arg
			}
			again, err := door.parse(door.emit(m.event, args, 1))
			if err != nil || again.event != m.event || len(again.args) != len(m.args) {
				t.Errorf("%v: parse(%q) = %+v, and written and parsed again %+v, %v", door, text, m, again, err)
			}
		}
	})
}
