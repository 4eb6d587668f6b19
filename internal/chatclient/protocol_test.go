package chatclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

var parseTests = []struct {
	name     string
	protocol Protocol
	text     string
	want     Message
}{
	{"open", SocketIO, `0{"sid":"x","pingInterval":25000,"pingTimeout":20000}`,
		Message{Kind: Open, Silence: 45 * time.Second}},
	{"ping", SocketIO, `2`, Message{Kind: Ping}},
	{"connected", SocketIO, `40{"sid":"x","pid":"secret"}`, Message{Kind: Connected, PID: "secret"}},
	{"refused", SocketIO, `44{"message":"no"}`, Message{Kind: Refused, Reason: `{"message":"no"}`}},
	{"event", SocketIO, `42["a",1]`, Message{Kind: Event, Event: "a", Args: []json.RawMessage{json.RawMessage("1")}}},
	{"ack", SocketIO, `4317[true]`, Message{Kind: Ack, AckID: 17, Args: []json.RawMessage{json.RawMessage("true")}}},
	{"disconnect", SocketIO, `41`, Message{Kind: Disconnected}},
	{"close", SocketIO, `1`, Message{Kind: Disconnected}},
	{"connected", Raw, `{"connect":{"sid":"x","pid":"secret"}}`, Message{Kind: Connected, PID: "secret"}},
	{"refused", Raw, `{"connect_error":{"message":"no"}}`, Message{Kind: Refused, Reason: `{"message":"no"}`}},
	{"event", Raw, `{"event":"a","args":[1]}`,
		Message{Kind: Event, Event: "a", Args: []json.RawMessage{json.RawMessage("1")}}},
	{"ack", Raw, `{"ack":0,"args":[true]}`, Message{Kind: Ack, Args: []json.RawMessage{json.RawMessage("true")}}},
	{"disconnect", Raw, `{"disconnect":{}}`, Message{Kind: Disconnected}},
}

func TestParse(t *testing.T) {
	for _, tt := range parseTests {
		t.Run(tt.protocol.String()+" "+tt.name, func(t *testing.T) {
			if got, err := tt.protocol.Parse([]byte(tt.text)); err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Parse(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		text     string
	}{
		{SocketIO, ""}, {SocketIO, "0"}, {SocketIO, "40x"}, {SocketIO, "42"}, {SocketIO, "42[]"}, {SocketIO,
			"42[1]"}, {SocketIO, "43[1]"},
		{SocketIO, "43x[1]"}, {SocketIO, "45[1]"}, {SocketIO, "7"},
		{Raw, ""}, {Raw, "[]"}, {Raw, "{}"}, {Raw, `{"event":1}`},
	} {
		if got, err := tt.protocol.Parse([]byte(tt.text)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%v: Parse(%q) = %+v, %v, want %v", tt.protocol, tt.text, got, err, ErrProtocol)
		}
	}
	if _, err := Raw.Parse([]byte(`{"error":{"code":"bad_message"}}`)); err == nil {
		t.Error("parse does not tell an error of the server")
	}
}

func TestAppendEvent(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		event    string
		ackID    int
		args     string
		want     string
	}{
		{SocketIO, "nickname", 1, `"Ann"`, `421["nickname","Ann"]`},
		{SocketIO, "user message", 0, `"Ann",2`, `42["user message","Ann",2]`},
		{SocketIO, `a"b`, 0, "", `42["a\"b"]`},
		{Raw, "nickname", 1, `"Ann"`, `{"event":"nickname","args":["Ann"],"id":1}`},
		{Raw, "user message", 0, `"Ann",2`, `{"event":"user message","args":["Ann",2]}`},
		{Raw, "who", 7, "", `{"event":"who","args":[],"id":7}`},
	} {
		if got := string(tt.protocol.AppendEvent(nil, tt.event, tt.ackID, []byte(tt.args))); got != tt.want {
			t.Errorf("%v: AppendEvent(%q, %d, %s) = %s, want %s", tt.protocol, tt.event, tt.ackID, tt.args,
				got, tt.want)
		}
	}
}

// Lists of thousands of names come often, and loadtest looks at none of them.
func TestClassifyDoesNotDecodeEvents(t *testing.T) {
	for _, tt := range []struct {
		protocol Protocol
		payload  string
	}{
		{SocketIO, `42["nicknames",{"Ann":"Ann"},{"room":"lobby"}]`},
		{Raw, `{"event":"nicknames","args":[{"Ann":"Ann"},{"room":"lobby"}]}`},
	} {
		payload := []byte(tt.payload)
		if n := testing.AllocsPerRun(10, func() { tt.protocol.classify(payload) }); n > 0 {
			t.Errorf("%v: classify(%s) allocates %v times, want 0", tt.protocol, payload, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range parseTests {
		f.Add(tt.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, protocol := range []Protocol{SocketIO, Raw} {
			m, err := protocol.Parse([]byte(text))
			if err != nil || m.Kind != Event {
				continue
			}
			var args [][]byte
			for _, arg := range m.Args {
				if arg == nil {
					arg = json.RawMessage("null")
				}
				args = append(args, arg)
			}
			list := bytes.Join(args, []byte(","))
			again, err := protocol.Parse(protocol.AppendEvent(nil, m.Event, 1, list))
			if err != nil || again.Event != m.Event || len(again.Args) != len(m.Args) {
				t.Errorf("%v: Parse(%q) = %+v, and written and parsed again %+v, %v", protocol, text, m, again, err)
			}
		}
	})
}
