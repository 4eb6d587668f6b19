package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// describe formats a message as one line.
func (m *rawMessage) describe(text []byte) string {
	var args []string
	for _, at := range m.args {
		args = append(args, string(at.of(text)))
	}
	switch m.kind {
	case rawEvent:
		if m.hasID {
			return fmt.Sprintf("event %s %v id %d", m.event, args, m.id)
		}
		return fmt.Sprintf("event %s %v", m.event, args)
	case rawAck:
		return fmt.Sprintf("ack %d %v", m.id, args)
	case rawConnect:
		return fmt.Sprintf("connect %s", m.payload)
	default:
		return "disconnect"
	}
}

var rawMessages = []struct{ wire, want string }{
	{`{"event":"user message","args":["hi"],"id":7}`, `event "user message" ["hi"] id 7`},
	{`{"event":"user message","args":["hi"]}`, `event "user message" ["hi"]`},
	{`{"event":"typing"}`, `event "typing" []`},
	{`{"id":0,"args":[1,{"a":[]}],"event":"x"}`, `event "x" [1 {"a":[]}] id 0`},
	{` { "event" : "x" , "args" : [ 1 , 2 ] } `, `event "x" [1 2]`},
	{`{"\u0065vent":"x"}`, `event "x" []`},
	{`{"ack":3,"args":[true]}`, `ack 3 [true]`},
	{`{"ack":0}`, `ack 0 []`},
	{`{"connect":{"token":"t"}}`, `connect {"token":"t"}`},
	{`{"connect":{}}`, `connect {}`},
	{`{"disconnect":{}}`, `disconnect`},
}

func TestRawMessageDecodes(t *testing.T) {
	for _, row := range rawMessages {
		var m rawMessage
		if err := m.parse([]byte(row.wire), &testLimits); err != nil {
			t.Errorf("parse(%s): %v", row.wire, err)
			continue
		}
		if got := m.describe([]byte(row.wire)); got != row.want {
			t.Errorf("parse(%s) = %s, want %s", row.wire, got, row.want)
		}
	}
}

var malformedRaw = []struct {
	wire string
	want error
}{
	{``, errJSON},
	{`hello`, errJSON},
	{`42["a"]`, errJSONTrailing},
	{`[]`, errRawShape},
	{`null`, errRawShape},
	{`{}`, errRawShape},
	{`{"args":[1]}`, errRawShape},
	{`{"id":1}`, errRawShape},
	{`{"event":"a","ack":1}`, errRawShape},
	{`{"ack":1,"id":1}`, errRawShape},
	{`{"connect":{},"args":[]}`, errRawShape},
	{`{"connect":{},"event":"a"}`, errRawShape},
	{`{"event":"a","event":"b"}`, errRawKey},
	{`{"event":"a","more":1}`, errRawKey},
	{`{"Event":"a"}`, errRawKey},
	{`{"event":1}`, errEventName},
	{`{"event":null}`, errEventName},
	{`{"event":"disconnect"}`, errEventName},
	{`{"event":"a","args":{}}`, errPayload},
	{`{"event":"a","args":null}`, errPayload},
	{`{"event":"a","id":-1}`, errAckID},
	{`{"event":"a","id":"1"}`, errAckID},
	{`{"event":"a","id":1.5}`, errAckID},
	{`{"event":"a","id":1e3}`, errAckID},
	{`{"event":"a","id":9007199254740992}`, errAckID},
	{`{"ack":null}`, errAckID},
	{`{"connect":[]}`, errPayload},
	{`{"connect":null}`, errPayload},
	{`{"disconnect":1}`, errPayload},
	{`{"event":"a"`, errJSON},
	{`{"event":"a",}`, errJSON},
	{`{"event" "a"}`, errJSON},
	{`{"event":"a"}}`, errJSONTrailing},
	{`{"event":"a"} {"event":"b"}`, errJSONTrailing},
	{`{"event":"a","args":[1,2,3,4,5,6,7]}`, errManyArguments},
	{`{"event":"a","args":[` + strings.Repeat("[", 100_000), errJSONDepth},
	{`{"connect":` + strings.Repeat(`{"a":`, 100_000), errJSONDepth},
}

func TestMalformedRawMessageIsRefused(t *testing.T) {
	for _, row := range malformedRaw {
		var m rawMessage
		if err := m.parse([]byte(row.wire), &testLimits); !errors.Is(err, row.want) {
			t.Errorf("parse(%.60s) = %v, want %v", row.wire, err, row.want)
		}
	}
}

func TestBase64ArgumentIsBinary(t *testing.T) {
	for _, row := range []struct {
		raw  string
		want []byte // nil: not binary
	}{
		{`{"base64":"AQID"}`, []byte{1, 2, 3}},
		{`{"base64":""}`, []byte{}},
		{` { "base64" : "AQ==" } `[1:], []byte{1}},
		{`{"base64":"AQ="}`, nil},
		{`{"base64":"A\u0051=="}`, nil},
		{`{"base64":1}`, nil},
		{`{"base64":"AQID","more":1}`, nil},
		{`{"base64":{"base64":"AQID"}}`, nil},
		{`{}`, nil},
		{`"base64"`, nil},
		{`["base64"]`, nil},
	} {
		got, ok := base64Argument([]byte(row.raw))
		if ok != (row.want != nil) || !bytes.Equal(got, row.want) {
			t.Errorf("base64Argument(%s) = %v, %v, want %v", row.raw, got, ok, row.want)
		}
	}
}

// FuzzRawMessage checks that what is accepted is a JSON object, that its parts are what encoding/json
// finds in it, and that the arguments come out of appendRawMessage unchanged.
func FuzzRawMessage(f *testing.F) {
	for _, row := range rawMessages {
		f.Add([]byte(row.wire))
	}
	for _, row := range malformedRaw {
		if len(row.wire) < 1000 {
			f.Add([]byte(row.wire))
		}
	}
	f.Add([]byte(`{"event":"a","args":[{"base64":"AQID"}]}`))
	f.Fuzz(func(t *testing.T, wire []byte) {
		var m rawMessage
		if err := m.parse(wire, &testLimits); err != nil {
			return
		}
		var object struct {
			Event *string           `json:"event"`
			Args  []json.RawMessage `json:"args"`
		}
		if err := json.Unmarshal(wire, &object); err != nil {
			t.Fatalf("parse(%q) is fine, but encoding/json says %v", wire, err)
		}
		if len(object.Args) != len(m.args) {
			t.Fatalf("parse(%q) has %d arguments, want %d", wire, len(m.args), len(object.Args))
		}
		args := Args{text: wire, spans: m.args}
		if err := args.decodeBase64(&testLimits); err != nil {
			return
		}
		if m.kind != rawEvent || isReserved(*object.Event) {
			return
		}
		var b body
		if err := b.encodeEvent(*object.Event, args.Values()); err != nil {
			return // an argument that looks like a placeholder beside an attachment
		}
		again := b.appendRawMessage(nil, packetEvent, 0)
		var n rawMessage
		if err := n.parse(again, &testLimits); err != nil {
			t.Fatalf("parse(%q) of what %q encodes to: %v", again, wire, err)
		}
		if len(n.args) != len(m.args) || n.hasID {
			t.Fatalf("parse(%q) encodes to %q", wire, again)
		}
	})
}
