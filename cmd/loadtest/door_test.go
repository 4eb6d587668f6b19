package main

import (
	"testing"
)

func TestDoorsParse(t *testing.T) {
	tests := []struct {
		door    door
		payload string
		want    message
	}{
		{socketIO{}, `0{"sid":"x","upgrades":[],"pingInterval":25000}`, message{kind: kindOpen}},
		{socketIO{}, `2`, message{kind: kindPing}},
		{socketIO{}, `1`, message{kind: kindClosed}},
		{socketIO{}, `40{"sid":"x"}`, message{kind: kindConnected}},
		{socketIO{}, `41`, message{kind: kindClosed}},
		{socketIO{}, `44{"message":"no"}`, message{kind: kindRefused, text: []byte(`{"message":"no"}`)}},
		{socketIO{}, `431[false]`, message{kind: kindAck, id: 1}},
		{socketIO{}, `4312[true,"in use"]`, message{kind: kindAck, id: 12, yes: true}},
		{socketIO{}, `43[false]`, message{}},
		{socketIO{}, `42["announcement","x connected"]`, message{}},
		{socketIO{}, `42["user message","load-1","text"]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `42["user message","load-1","text",{"id":"1-2-3"}]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `42["user message","a\"b","te\u0078t"]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `42[ "user message" , null , "text" ]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `42["user\u0020message","load-1","text"]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `427["user message","load-1","text"]`, message{kind: kindDelivery, text: []byte("text")}},
		{socketIO{}, `42["user message","load-1"]`, message{}},
		{socketIO{}, `42["user message","load-1",7]`, message{}},
		{socketIO{}, `42["user message","load-1","te`, message{}},
		{socketIO{}, `4`, message{}},
		{socketIO{}, ``, message{}},
		{bare{}, `{"event":"user message","args":["load-1","text"]}`, message{kind: kindDelivery, text: []byte("text")}},
		{bare{}, `{"args":["load-1","text",{"id":1}],"event":"user message"}`, message{kind: kindDelivery, text: []byte("text")}},
		{bare{}, `{"event":"user\u0020message","args":["load-1","text"]}`, message{kind: kindDelivery, text: []byte("text")}},
		{bare{}, `{"event":"user message","args":["load-1"]}`, message{}},
		{bare{}, `{"ack":1,"args":[false]}`, message{kind: kindAck, id: 1}},
		{bare{}, `{"ack":9,"args":[true,"in use"]}`, message{kind: kindAck, id: 9, yes: true}},
		{bare{}, `{"ack":0}`, message{kind: kindAck}},
		{bare{}, `{"event":"announcement","args":["x connected"]}`, message{}},
		{bare{}, `rubbish`, message{}},
	}
	for _, test := range tests {
		got := test.door.parse([]byte(test.payload))
		if got.kind != test.want.kind || got.id != test.want.id || got.yes != test.want.yes || string(got.text) != string(test.want.text) {
			t.Errorf("%T.parse(%s) = %+v, want %+v", test.door, test.payload, got, test.want)
		}
	}
}

// A crowd's announcements and lists of names are long, and there are many.
func TestDoorsDecodeNothingThatNobodyCounts(t *testing.T) {
	for _, test := range []struct {
		door    door
		payload string
	}{
		{socketIO{}, `42["nicknames",{"Ann":"Ann"},{"room":"lobby"}]`},
		{bare{}, `{"event":"nicknames","args":[{"Ann":"Ann"},{"room":"lobby"}]}`},
	} {
		payload := []byte(test.payload)
		if n := testing.AllocsPerRun(10, func() { test.door.parse(payload) }); n > 0 {
			t.Errorf("%T.parse(%s) allocates %v times, want 0", test.door, payload, n)
		}
	}
}

func TestDoorsAppendEvent(t *testing.T) {
	tests := []struct {
		door  door
		event string
		id    int
		want  string
	}{
		{socketIO{}, eventNickname, 1, `421["nickname","Ann"]`},
		{socketIO{}, eventUserMessage, 0, `42["user message","Ann"]`},
		{bare{}, eventNickname, 1, `{"event":"nickname","args":["Ann"],"id":1}`},
		{bare{}, eventUserMessage, 0, `{"event":"user message","args":["Ann"]}`},
	}
	for _, test := range tests {
		if got := string(test.door.appendEvent(nil, test.event, test.id, []byte("Ann"))); got != test.want {
			t.Errorf("%T.appendEvent(%q, %d) = %s, want %s", test.door, test.event, test.id, got, test.want)
		}
	}
}

func FuzzDoors(f *testing.F) {
	f.Add([]byte(`42["user message","load-1","text",{"id":"1-2-3"}]`))
	f.Add([]byte(`42["user message","a\"b","te\u0078t"]`))
	f.Add([]byte(`4312[true,"in use"]`))
	f.Add([]byte(`{"event":"user message","args":["load-1","text"]}`))
	f.Add([]byte(`{"ack":9,"args":[true]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, d := range []door{socketIO{}, bare{}} {
			if m := d.parse(payload); len(m.text) > 3*len(payload) {
				t.Fatalf("%T.parse(%q): text of %d bytes", d, payload, len(m.text))
			}
		}
	})
}
