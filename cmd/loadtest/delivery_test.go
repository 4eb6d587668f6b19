package main

import (
	"testing"

	"chatapp/internal/chatclient"
)

const (
	socketIO = chatclient.SocketIO
	raw      = chatclient.Raw
)

func TestDeliveredText(t *testing.T) {
	tests := []struct {
		protocol chatclient.Protocol
		payload  string
		want     string // "": no delivery
	}{
		{socketIO, `42["announcement","x connected"]`, ""},
		{socketIO, `42["user message","load-1","text"]`, "text"},
		{socketIO, `42["user message","load-1","text",{"id":"1-2-3"}]`, "text"},
		{socketIO, `42["user message","a\"b","te\u0078t"]`, "text"},
		{socketIO, `42[ "user message" , null , "text" ]`, "text"},
		{socketIO, `42["user\u0020message","load-1","text"]`, "text"},
		{socketIO, `427["user message","load-1","text"]`, "text"},
		{socketIO, `42["user message","load-1"]`, ""},
		{socketIO, `42["user message","load-1",7]`, ""},
		{socketIO, `42["user message","load-1","te`, ""},
		{socketIO, ``, ""},
		{raw, `{"event":"user message","args":["load-1","text"]}`, "text"},
		{raw, `{"args":["load-1","text",{"id":1}],"event":"user message"}`, "text"},
		{raw, `{"event":"user\u0020message","args":["load-1","text"]}`, "text"},
		{raw, `{"event":"user message","args":["load-1"]}`, ""},
		{raw, `{"event":"announcement","args":["x connected"]}`, ""},
		{raw, `rubbish`, ""},
	}
	for _, test := range tests {
		if got, ok := deliveredText(test.protocol, []byte(test.payload)); string(got) != test.want ||
			ok != (test.want != "") {
			t.Errorf("%v: deliveredText(%s) = %q, %v, want %q", test.protocol, test.payload, got, ok, test.want)
		}
	}
}

// Large clusters send long lists of names, often.
func TestOtherEventsAreNotDecoded(t *testing.T) {
	for _, test := range []struct {
		protocol chatclient.Protocol
		payload  string
	}{
		{socketIO, `42["nicknames",{"Ann":"Ann"},{"room":"lobby"}]`},
		{raw, `{"event":"nicknames","args":[{"Ann":"Ann"},{"room":"lobby"}]}`},
	} {
		payload := []byte(test.payload)
		if n := testing.AllocsPerRun(10, func() { deliveredText(test.protocol, payload) }); n > 0 {
			t.Errorf("%v: deliveredText(%s) allocates %v times, want 0", test.protocol, payload, n)
		}
	}
}

func FuzzDeliveredText(f *testing.F) {
	f.Add([]byte(`42["user message","load-1","text",{"id":"1-2-3"}]`))
	f.Add([]byte(`42["user message","a\"b","te\u0078t"]`))
	f.Add([]byte(`4312[true,"in use"]`))
	f.Add([]byte(`{"event":"user message","args":["load-1","text"]}`))
	f.Add([]byte(`{"ack":9,"args":[true]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, p := range []chatclient.Protocol{socketIO, raw} {
			if text, _ := deliveredText(p, payload); len(text) > 3*len(payload) {
				t.Fatalf("%v: deliveredText(%q): text of %d bytes", p, payload, len(text))
			}
		}
	})
}
